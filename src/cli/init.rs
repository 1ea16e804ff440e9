//! `lockgate init`: a configuration file to start with.

use std::io::{IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::args::{Collected, FileArgs};
use super::login::{self, LoginArgs};
use crate::agility::region_name;
use crate::config::{Config, ConfigError, Given, GivenValue};
use crate::error::{Error, ExitStatus};
use crate::report;

/// Asks for the instances and writes lockgate.toml
///
/// Asks for the two instances, the locales and where the token comes from. The token itself is neither asked for nor written:
/// it belongs in the environment, in a file that only you can read, or in a password manager. Where none is found, it offers to sign
/// in with a browser, as `lockgate login` does. Without a terminal the answers come from the flags, with --yes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  lockgate init
  lockgate init --source 1a2b3c4d-u --target 5e6f7a8b-e --locale en-us --yes")]
pub(super) struct InitArgs {
    /// Instance to read from
    #[arg(long, value_name = "GUID")]
    source: Option<String>,
    /// Instance to write to
    #[arg(long, value_name = "GUID")]
    target: Option<String>,
    /// Locales [default: all of the source]
    #[arg(long, alias = "locales", value_name = "LOCALE", value_delimiter = ',')]
    locale: Vec<String>,
    /// Where the token comes from
    #[arg(long, value_name = "PLACE")]
    token_from: Option<TokenPlace>,
    /// File to write
    #[arg(long = "file", value_name = "FILE", default_value = "lockgate.toml")]
    path: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    /// Do not ask: take the flags and the defaults
    #[arg(long, short)]
    yes: bool,
}

/// Where the token comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum TokenPlace {
    /// the environment variable `LOCKGATE_TOKEN`
    #[default]
    Environment,
    /// the file .env in the working directory, which only you may read
    File,
    /// a command that prints it, such as that of a password manager
    Command,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answers {
    source: String,
    target: String,
    /// Empty: all of the source.
    locales: Vec<String>,
    token: TokenPlace,
}

/// Writes the file.
///
/// # Errors
/// [`Error::Usage`] when the file is there already, or there is no terminal to ask on; [`Error::Config`] for an answer that
/// cannot be; [`Error::File`] when the file cannot be written; those of [`login::run`] where the user signs in.
pub(super) async fn run(
    args: &InitArgs,
    out: &mut (dyn Write + Send),
) -> Result<ExitStatus, Error> {
    if args.path.exists() && !args.force {
        return Err(Error::Usage {
            message: format!("{} is there already", args.path.display()),
            hint: Some("--force replaces it; `lockgate config` shows what it sets".to_owned()),
        });
    }
    let answers = if args.yes {
        args.without_questions()?
    } else if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        args.with_questions(&mut ask, &mut |line| report::tell(line))?
    } else {
        return Err(Error::Usage {
            message: "no terminal is attached to ask on".to_owned(),
            hint: Some("name --source and --target, and add --yes".to_owned()),
        });
    };
    let failed = |source| Error::File {
        path: args.path.clone(),
        source,
    };
    report::write_whole_at(&args.path, answers.file().as_bytes()).map_err(failed)?;
    report::tell(&format!("wrote {}", args.path.display()));
    let lacks_token = lacks_token(&args.path)?;
    if lacks_token && !args.yes && answers.takes_sign_in(&mut ask) {
        login::run(&LoginArgs::of_config(args.path.clone()), out).await?;
    } else if lacks_token {
        report::tell(answers.token.next_step());
        report::tell(&format!(
            "or sign in with a browser:  {}",
            login_command(&args.path)
        ));
    }
    report::tell("next: lockgate doctor");
    Ok(ExitStatus::Agreed)
}

/// Whether the new file, with what else is set, still needs a token. What else is wrong shows when it is used.
///
/// # Errors
/// [`Error::Config`] when the layers cannot be read.
fn lacks_token(path: &Path) -> Result<bool, Error> {
    let config = FileArgs::of_config(path.to_owned()).load(Collected::default())?;
    let missing = config.settings().err();
    Ok(missing.is_some_and(|error| error.is_for_lack_of_token()))
}

/// The command that signs in to the instances of the file.
fn login_command(path: &Path) -> String {
    if path == Path::new("lockgate.toml") {
        "lockgate login".to_owned()
    } else {
        format!("lockgate login --config {}", path.display())
    }
}

impl InitArgs {
    fn without_questions(&self) -> Result<Answers, Error> {
        let (Some(source), Some(target)) = (&self.source, &self.target) else {
            return Err(Error::Usage {
                message: "--yes needs --source and --target".to_owned(),
                hint: Some("both are GUIDs, such as 1a2b3c4d-u".to_owned()),
            });
        };
        let answers = Answers {
            source: guid("source.guid", source)?,
            target: guid("target.guid", target)?,
            locales: locales(&self.locale)?,
            token: self.token_from.unwrap_or_default(),
        };
        answers.check()?;
        Ok(answers)
    }

    /// Asks for what no flag says, again where an answer cannot be.
    fn with_questions(
        &self,
        ask: &mut impl FnMut(&str) -> Option<String>,
        say: &mut impl FnMut(&str),
    ) -> Result<Answers, Error> {
        let mut instance = |key: &'static str, given: Option<&String>, question: &str| {
            let found = match given {
                Some(given) => guid(key, given)?,
                None => again(ask, say, question, |text| guid(key, text))?,
            };
            say(&format!("  region: {}", region(&found)));
            Ok::<_, Error>(found)
        };
        let source = instance(
            "source.guid",
            self.source.as_ref(),
            "Instance to read from (GUID): ",
        )?;
        let target = instance(
            "target.guid",
            self.target.as_ref(),
            "Instance to write to (GUID): ",
        )?;
        let locales = if self.locale.is_empty() {
            again(
                ask,
                say,
                "Locales, with commas [all of the source]: ",
                |text| {
                    let words = text.split([',', ' ']).map(str::to_owned);
                    let words: Vec<String> = words.collect();
                    locales(&words)
                },
            )?
        } else {
            locales(&self.locale)?
        };
        let token = match self.token_from {
            Some(place) => place,
            None => again(
                ask,
                say,
                "Token from the environment, a file or a command [environment]: ",
                place,
            )?,
        };
        let answers = Answers {
            source,
            target,
            locales,
            token,
        };
        answers.check()?;
        Ok(answers)
    }
}

/// Asks until the answer can be read.
fn again<T>(
    ask: &mut impl FnMut(&str) -> Option<String>,
    say: &mut impl FnMut(&str),
    question: &str,
    read: impl Fn(&str) -> Result<T, Error>,
) -> Result<T, Error> {
    loop {
        let text = ask(question).ok_or(Error::Interrupted)?;
        match read(text.trim()) {
            Ok(found) => return Ok(found),
            Err(error) => say(&format!("  {error}{}", hint(&error))),
        }
    }
}

fn hint(error: &Error) -> String {
    error
        .hint()
        .map(|hint| format!("; {hint}"))
        .unwrap_or_default()
}

/// A line of the terminal; `None` at its end.
fn ask(question: &str) -> Option<String> {
    let mut stderr = std::io::stderr();
    write!(stderr, "{question}")
        .and_then(|()| stderr.flush())
        .ok()?;
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).ok()?;
    (read > 0).then_some(line)
}

/// A configuration with one value, which checks it as every command does.
fn of_one(key: &'static str, value: GivenValue) -> Result<Config, ConfigError> {
    Config::of_defaults(&[Given {
        key,
        origin: "the answer".to_owned(),
        value,
    }])
}

fn guid(key: &'static str, text: &str) -> Result<String, Error> {
    let config = of_one(key, GivenValue::Text(text.to_owned()))?;
    let (source, target) = config.guids()?;
    let found = source.or(target);
    found
        .map(|guid| guid.to_string())
        .ok_or_else(|| Error::Usage {
            message: "a GUID is needed".to_owned(),
            hint: Some("it looks like 1a2b3c4d-u".to_owned()),
        })
}

fn locales(words: &[String]) -> Result<Vec<String>, Error> {
    let words = words.iter().map(|word| word.trim().to_ascii_lowercase());
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    if !words.is_empty() {
        of_one("sync.locales", GivenValue::List(words.clone()))?.check()?;
    }
    Ok(words)
}

fn place(text: &str) -> Result<TokenPlace, Error> {
    if text.is_empty() {
        return Ok(TokenPlace::default());
    }
    TokenPlace::from_str(text, true).map_err(|_| Error::Usage {
        message: format!("{text:?} is not environment, file or command"),
        hint: None,
    })
}

/// The region of a GUID in words.
fn region(guid: &str) -> &'static str {
    region_name(guid).unwrap_or("USA, because the GUID names no region")
}

impl Answers {
    fn check(&self) -> Result<(), Error> {
        if self.source != self.target {
            return Ok(());
        }
        let guid = self.source.clone();
        Err(ConfigError::SameInstance { guid }.into())
    }

    /// The file.
    fn file(&self) -> String {
        let quoted = |text: &String| toml::Value::from(text.as_str()).to_string();
        let token = match self.token {
            TokenPlace::Environment => {
                "environment variable LOCKGATE_TOKEN, or from `lockgate login`"
            }
            TokenPlace::File => "file .env, as AGILITY_TOKEN=…",
            TokenPlace::Command => "command in LOCKGATE_TOKEN_COMMAND",
        };
        let locales = if self.locales.is_empty() {
            "# All locales of the source.\n# locales = [\"en-us\"]".to_owned()
        } else {
            let codes: Vec<String> = self.locales.iter().map(quoted).collect();
            format!("locales = [{}]", codes.join(", "))
        };
        format!(
            "# Settings of lockgate. `lockgate config --defaults` explains every key, `lockgate config` shows what is set.\n\
             # The token comes from the {token}. It does not belong in this file.\n\
             \n\
             [source]\n\
             # Region: {}\n\
             guid = {}\n\
             \n\
             [target]\n\
             # Region: {}\n\
             guid = {}\n\
             \n\
             [sync]\n\
             {locales}\n",
            region(&self.source),
            quoted(&self.source),
            region(&self.target),
            quoted(&self.target),
        )
    }

    /// Asks whether to sign in now. The default is no where another place for the token was named.
    fn takes_sign_in(&self, ask: &mut impl FnMut(&str) -> Option<String>) -> bool {
        let is_usual = self.token == TokenPlace::Environment;
        let choice = if is_usual { "[Y/n]" } else { "[y/N]" };
        let question = format!("No token is set. Sign in with a browser now? {choice} ");
        let answer = ask(&question).unwrap_or_else(|| "n".to_owned());
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => true,
            "" => is_usual,
            _ => false,
        }
    }
}

impl TokenPlace {
    /// The next step without a token.
    const fn next_step(self) -> &'static str {
        match self {
            Self::Environment => {
                "set the token, if it is not set:  read -rs LOCKGATE_TOKEN && export LOCKGATE_TOKEN"
            }
            Self::File => "put AGILITY_TOKEN=… into .env, and keep it to yourself:  chmod 600 .env",
            Self::Command => {
                "name the command:  export LOCKGATE_TOKEN_COMMAND='pass show agility/token'  (or token_command in ~/.config/lockgate/lockgate.toml)"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> InitArgs {
        InitArgs {
            source: None,
            target: None,
            locale: Vec::new(),
            token_from: None,
            path: "lockgate.toml".into(),
            force: false,
            yes: false,
        }
    }

    /// Answers one after another, and what was said meanwhile.
    fn dialogue(args: &InitArgs, answers: &[&str]) -> (Result<Answers, Error>, String) {
        let mut answers = answers.iter();
        let mut said = Vec::new();
        let mut ask = |_: &str| answers.next().map(|text| format!("{text}\n"));
        let found = args.with_questions(&mut ask, &mut |line| said.push(line.to_owned()));
        (found, said.join("\n"))
    }

    #[test]
    fn a_wrong_answer_is_asked_for_again() {
        let (found, said) = dialogue(
            &args(),
            &[
                "",
                "nonsense",
                "1A2B3C4D-u",
                "5e6f7a8b-zz",
                "5e6f7a8b-e",
                "en/us",
                "en-us, fr-CA",
                "vault",
                "FILE",
            ],
        );
        let found = found.unwrap();
        assert_eq!(found.locales, ["en-us", "fr-ca"]);
        assert_eq!(
            (found.token, &*found.source),
            (TokenPlace::File, "1a2b3c4d-u")
        );
        insta::assert_snapshot!(said, @r#"
        source.guid is empty (the answer); give a value, or leave it out of the answer
        source.guid is "nonsense" (the answer); expected the GUID of an instance, such as 1a2b3c4d-u, or a folder that lockgate pull wrote; `lockgate config --defaults` explains source.guid
        region: USA
        target.guid is "5e6f7a8b-zz" (the answer); expected a GUID of a known region: -u (USA), -us2 (USA 2), -c (Canada), -e (Europe), -a (Australia), -d (vendor's development); for another one give its URL; `lockgate config --defaults` explains target.guid
        region: Europe
        sync.locales is ["en/us"] (the answer); expected locale codes, such as en-us; `lockgate config --defaults` explains sync.locales
        "vault" is not environment, file or command
        "#);
        insta::assert_snapshot!(found.file(), @r#"
        # Settings of lockgate. `lockgate config --defaults` explains every key, `lockgate config` shows what is set.
        # The token comes from the file .env, as AGILITY_TOKEN=…. It does not belong in this file.

        [source]
        # Region: USA
        guid = "1a2b3c4d-u"

        [target]
        # Region: Europe
        guid = "5e6f7a8b-e"

        [sync]
        locales = ["en-us", "fr-ca"]
        "#);
        let read: toml::Table = toml::from_str(&found.file()).unwrap();
        assert_eq!(read["target"]["guid"].as_str(), Some("5e6f7a8b-e"));
    }

    #[test]
    fn the_sign_in_is_offered_and_no_answer_takes_it_unless_another_place_was_named() {
        let offered = |token, answer: Option<&str>| {
            let answers = Answers {
                source: String::new(),
                target: String::new(),
                locales: Vec::new(),
                token,
            };
            answers.takes_sign_in(&mut |_| answer.map(str::to_owned))
        };
        for (token, answer, taken) in [
            (TokenPlace::Environment, Some("\n"), true),
            (TokenPlace::Environment, Some(" Yes\n"), true),
            (TokenPlace::Environment, Some("later\n"), false),
            (TokenPlace::Environment, None, false),
            (TokenPlace::Command, Some("\n"), false),
            (TokenPlace::File, Some("y\n"), true),
        ] {
            assert_eq!(offered(token, answer), taken, "{token:?} {answer:?}");
        }
        assert_eq!(login_command(Path::new("lockgate.toml")), "lockgate login");
        let other = login_command(Path::new("qa.toml"));
        assert_eq!(other, "lockgate login --config qa.toml");
    }

    #[test]
    fn flags_are_not_asked_for_and_the_end_of_input_ends_it() {
        let given = InitArgs {
            source: Some("1a2b3c4d-u".to_owned()),
            target: Some("5e6f7a8b-u".to_owned()),
            ..args()
        };
        let (found, _) = dialogue(&given, &["", ""]);
        let found = found.unwrap();
        assert_eq!(
            (found.locales.len(), found.token),
            (0, TokenPlace::Environment)
        );
        assert!(matches!(dialogue(&given, &[""]).0, Err(Error::Interrupted)));
        let same = InitArgs {
            target: given.source.clone(),
            ..given
        };
        assert!(matches!(
            dialogue(&same, &["", ""]).0,
            Err(Error::Config(_))
        ));
    }
}
