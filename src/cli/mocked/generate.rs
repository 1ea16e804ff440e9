//! `lockgate mock generate`: writes an instance of any size as a state file of the mock.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::mock::file::StateFile;
use crate::mock::generate::{Preset, Shape, generate};

/// Generates sample data for the mock server
///
/// The same size, seed, GUID and locales always give the same file. It holds every encoding of a reference, cycles,
/// deep chains and page trees, two locales, galleries and redirections, in the proportions of a real site.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  lockgate mock generate --preset small -o small.json
  lockgate mock serve --state small.json --instance 5e6f7a8b-u:en-us,fr-ca")]
pub struct GenerateArgs {
    /// Number of entities: models, templates, containers, galleries, assets, redirections, and each content item and
    /// page once per locale
    #[arg(long, value_name = "N", required_unless_present = "preset")]
    pub entities: Option<usize>,
    /// Named size: small 3,619; medium 6,064; large 14,481; all 24,164; million 1,000,000
    #[arg(long, conflicts_with = "entities", value_parser = presets())]
    pub preset: Option<Preset>,
    /// Random seed
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// GUID of the instance
    #[arg(long, default_value = "1a2b3c4d-u")]
    pub guid: String,
    /// Locales, the default one first
    #[arg(long, value_delimiter = ',', default_value = "en-us,fr-ca")]
    pub locales: Vec<String>,
    /// File to write; standard output when left out
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// The preset of each allowed value.
fn presets() -> impl TypedValueParser<Value = Preset> {
    PossibleValuesParser::new(Preset::EVERY.map(Preset::name))
        .try_map(|name| Preset::named(&name).ok_or("no such preset"))
}

/// Why no instance was written.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The file could not be made, filled or put in its place.
    #[error("cannot write {}", path.display())]
    File {
        /// The file asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Standard output did not take the instance, for example because its reader went away.
    #[error("cannot write the instance to standard output")]
    Stdout(#[source] io::Error),
}

impl GenerateArgs {
    /// The shape that the arguments ask for.
    pub fn shape(&self) -> Shape {
        let preset = self.preset.map_or(0, Preset::entities);
        Shape {
            entities: self.entities.unwrap_or(preset),
            seed: self.seed,
            guid: self.guid.clone(),
            locales: self.locales.clone(),
        }
    }
}

/// Makes the instance and writes it as one JSON document, to the file or to `out`.
///
/// A file appears whole or not at all.
///
/// # Errors
/// [`GenerateError`] naming where the instance could not be written.
pub fn run(args: &GenerateArgs, out: &mut impl Write) -> Result<(), GenerateError> {
    let file = generate(&args.shape());
    match &args.output {
        Some(path) => save(&file, path).map_err(|source| GenerateError::File {
            path: path.clone(),
            source,
        }),
        None => write(&file, out).map_err(GenerateError::Stdout),
    }
}

fn save(file: &StateFile, path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => Path::new("."),
    };
    let mut partial = tempfile::NamedTempFile::new_in(folder)?;
    write(file, &mut partial)?;
    partial.persist(path)?;
    Ok(())
}

fn write(file: &StateFile, out: &mut impl Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, out);
    serde_json::to_writer(&mut out, file)?;
    out.write_all(b"\n")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: GenerateArgs,
    }

    fn parse(words: &[&str]) -> Result<GenerateArgs, clap::Error> {
        let all = std::iter::once(&"generate").chain(words);
        Cli::try_parse_from(all).map(|cli| cli.args)
    }

    #[test]
    fn a_preset_or_a_size_is_needed_but_not_both() {
        let preset = parse(&["--preset", "all", "--seed", "9"]).unwrap();
        assert_eq!(preset.shape(), Shape::new(24_164, 9));
        assert_eq!(parse(&["--entities", "7"]).unwrap().shape().entities, 7);
        assert!(parse(&[]).is_err());
        assert!(parse(&["--entities", "7", "--preset", "all"]).is_err());
        assert!(parse(&["--preset", "huge"]).is_err());
    }

    #[test]
    fn a_file_and_the_standard_output_get_the_same_document() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.json");
        let name = path.to_str().unwrap();
        let mut out = Vec::new();
        run(&parse(&["--entities", "200"]).unwrap(), &mut out).unwrap();
        run(
            &parse(&["--entities", "200", "-o", name]).unwrap(),
            &mut Vec::new(),
        )
        .unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), out);
        let read: StateFile = serde_json::from_slice(&out).unwrap();
        assert_eq!(read, generate(&Shape::new(200, 1)));
    }

    #[test]
    fn a_file_that_cannot_be_made_is_named() {
        let args = parse(&["--entities", "1", "-o", "/nowhere/at/all.json"]).unwrap();
        let error = run(&args, &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "cannot write /nowhere/at/all.json");
    }
}
