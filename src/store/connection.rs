//! One connection, to either database, and the statements that both take.
//!
//! The text of a statement is the same for both: `?` stands for a value, `PostgreSQL` gets `$1`, `$2` and so on. Values and
//! columns are of four types that both have. What differs is here: how a transaction begins and ends, and how rows are locked.
//!
//! A connection to a server may be lost. It is opened again for the next statement, and a transaction that was lost with it
//! is begun anew by its owner, since nothing of it was stored. Where the connection goes while a commit is under way, the
//! server is asked for the outcome afterwards. A lost connection is recognised by its error or by silence: [`PATIENCE`].

use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use sqlx::postgres::{PgConnection, PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Database, Decode, Encode, Executor, Row as _, Type};

use tokio::time::Instant;

use super::StoreError;
use super::server::Server;

/// How long a server may be silent before the connection counts as lost. The server itself gives up sooner on what waits for a
/// lock or takes long: see [`Server::connect`].
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a server is tried before it counts as gone, since one that is started anew needs some seconds, and the time between
/// two trials.
const RETURN: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(500);

/// A connection, and what is said of it in messages.
pub(super) struct Connection {
    to: To,
    pub(super) place: Arc<str>,
}

/// How connections to one state are opened.
#[derive(Clone)]
pub(super) enum Opener {
    File(Box<SqliteConnectOptions>),
    Server(Server),
}

impl Opener {
    /// Opens a connection that may write.
    ///
    /// # Errors
    /// [`StoreError`] when there is no way to the state.
    pub(super) async fn open(&self, place: &Arc<str>) -> Result<Connection, StoreError> {
        match self {
            Self::File(options) => sqlite(options, place).await,
            Self::Server(server) => Connection::postgres(server.clone(), Arc::clone(place)).await,
        }
    }

    /// Opens a connection for reading; one to a file can do nothing else.
    ///
    /// # Errors
    /// As of [`Opener::open`].
    pub(super) async fn open_to_read(&self, place: &Arc<str>) -> Result<Connection, StoreError> {
        match self {
            Self::File(options) => {
                sqlite(
                    &SqliteConnectOptions::clone(options).pragma("query_only", "on"),
                    place,
                )
                .await
            }
            Self::Server(_) => self.open(place).await,
        }
    }
}

async fn sqlite(
    options: &SqliteConnectOptions,
    place: &Arc<str>,
) -> Result<Connection, StoreError> {
    let opened = Box::pin(options.connect()).await;
    Ok(Connection {
        to: To::Sqlite(opened.map_err(|error| StoreError::of(error, place))?),
        place: Arc::clone(place),
    })
}

enum To {
    Sqlite(SqliteConnection),
    Postgres {
        connection: Box<PgConnection>,
        server: Server,
        /// Whether what it says next may belong to something that was given up.
        is_lost: bool,
    },
}

/// A value of a statement; none is a null of that type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'q> {
    Integer(Option<i64>),
    Real(Option<f64>),
    Text(Option<Cow<'q, str>>),
    Bytes(Cow<'q, [u8]>),
}

macro_rules! value_of {
    ($($from:ty => |$value:ident| $made:expr),+ $(,)?) => {
        $(impl<'q> From<$from> for Value<'q> {
            fn from($value: $from) -> Self { $made }
        })+
    };
}

value_of! {
    i64 => |value| Self::Integer(Some(value)),
    Option<i64> => |value| Self::Integer(value),
    f64 => |value| Self::Real(Some(value)),
    &'q str => |value| Self::Text(Some(value.into())),
    &'q String => |value| Self::Text(Some(value.into())),
    String => |value| Self::Text(Some(value.into())),
    Option<&'q str> => |value| Self::Text(value.map(Into::into)),
    Option<String> => |value| Self::Text(value.map(Into::into)),
    &'q Option<String> => |value| Self::Text(value.as_deref().map(Into::into)),
    &'q [u8] => |value| Self::Bytes(value.into()),
}

/// A text with `?` for each of its values.
#[derive(Clone, Debug)]
pub(super) struct Statement<'q> {
    sql: Cow<'q, str>,
    values: Vec<Value<'q>>,
}

/// A statement, to be given its values in their order.
pub(super) fn query<'q>(sql: impl Into<Cow<'q, str>>) -> Statement<'q> {
    Statement {
        sql: sql.into(),
        values: Vec::new(),
    }
}

impl<'q> Statement<'q> {
    pub(super) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// The text with numbers for its values.
    fn numbered(&self) -> String {
        let mut text = String::with_capacity(self.sql.len() + 4 * self.values.len());
        for (number, part) in self.sql.split('?').enumerate() {
            if number > 0 {
                text.push('$');
                text.push_str(&number.to_string());
            }
            text.push_str(part);
        }
        text
    }
}

fn bound<'s, D: Database>(
    sql: &'s str,
    values: &'s [Value<'_>],
) -> sqlx::query::Query<'s, D, D::Arguments>
where
    Option<i64>: Encode<'s, D> + Type<D>,
    Option<f64>: Encode<'s, D> + Type<D>,
    Option<&'s str>: Encode<'s, D> + Type<D>,
    &'s [u8]: Encode<'s, D> + Type<D>,
{
    values.iter().fold(
        sqlx::query(AssertSqlSafe(sql)),
        |query, value| match value {
            Value::Integer(value) => query.bind(*value),
            Value::Real(value) => query.bind(*value),
            Value::Text(value) => query.bind(value.as_deref()),
            Value::Bytes(value) => query.bind(&**value),
        },
    )
}

/// A row of either database.
#[derive(Clone, Copy)]
pub(super) enum Row<'r> {
    Sqlite(&'r SqliteRow),
    Postgres(&'r PgRow),
}

/// What a column can be read as, in both databases.
pub(super) trait Column<'r>:
    Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>
{
}

impl<'r, T> Column<'r> for T where
    T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>
{
}

impl<'r> Row<'r> {
    pub(super) fn get<T: Column<'r>>(self, column: &str) -> Result<T, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }
}

impl Connection {
    /// Opens a connection to a server.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`], at once: at the beginning a wrong address is more likely than a server that starts anew.
    pub(super) async fn postgres(server: Server, place: Arc<str>) -> Result<Self, StoreError> {
        let connected = in_time(Box::pin(server.connect())).await;
        let connection = connected.map_err(|error| StoreError::unreachable(error, &place))?;
        let to = To::Postgres {
            connection: Box::new(connection),
            server,
            is_lost: false,
        };
        Ok(Self { to, place })
    }

    pub(super) const fn is_server(&self) -> bool {
        matches!(self.to, To::Postgres { .. })
    }

    /// Whether it has to be opened again.
    pub(super) const fn is_lost(&self) -> bool {
        match &self.to {
            To::Sqlite(_) => false,
            To::Postgres { is_lost, .. } => *is_lost,
        }
    }

    /// The server's database, and the schema in it; `None` of a file.
    pub(super) const fn server(&self) -> Option<&Server> {
        match &self.to {
            To::Sqlite(_) => None,
            To::Postgres { server, .. } => Some(server),
        }
    }

    fn failed(&self, error: sqlx::Error) -> StoreError {
        StoreError::of(error, &self.place)
    }

    /// Carries out a statement, and gives how many rows it wrote.
    ///
    /// # Errors
    /// [`StoreError`]; of a server that does not answer [`StoreError::Unreachable`].
    pub(super) async fn execute(&mut self, statement: Statement<'_>) -> Result<u64, StoreError> {
        let done = match &mut self.to {
            To::Sqlite(connection) => {
                let query = bound::<Sqlite>(&statement.sql, &statement.values);
                let done = Box::pin(query.execute(connection)).await;
                done.map(|done| done.rows_affected())
            }
            To::Postgres {
                connection,
                is_lost,
                ..
            } => {
                let sql = statement.numbered();
                let query = bound::<Postgres>(&sql, &statement.values);
                let done = lasting(is_lost, Box::pin(query.execute(&mut **connection))).await;
                done.map(|done| done.rows_affected())
            }
        };
        done.map_err(|error| self.failed(error))
    }

    /// Carries out statements without values, one after the other.
    ///
    /// # Errors
    /// As of [`Connection::execute`].
    pub(super) async fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        let done = match &mut self.to {
            To::Sqlite(connection) => Box::pin(connection.execute(AssertSqlSafe(sql)))
                .await
                .map(drop),
            To::Postgres {
                connection,
                is_lost,
                ..
            } => lasting(is_lost, Box::pin(connection.execute(AssertSqlSafe(sql))))
                .await
                .map(drop),
        };
        done.map_err(|error| self.failed(error))
    }

    /// What `read` makes of each row. A row takes many times the memory of what is made of it, so there is never more
    /// than a handful of them.
    ///
    /// # Errors
    /// As of [`Connection::execute`], and what `read` fails with.
    pub(super) async fn rows<T>(
        &mut self,
        statement: &Statement<'_>,
        mut read: impl FnMut(Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut all = Vec::new();
        let place = &self.place;
        match &mut self.to {
            To::Sqlite(connection) => {
                let query = bound::<Sqlite>(&statement.sql, &statement.values);
                let mut rows = query.fetch(connection);
                while let Some(row) = rows.next().await {
                    let row = row.map_err(|error| StoreError::of(error, place))?;
                    all.push(read(Row::Sqlite(&row))?);
                }
            }
            To::Postgres {
                connection,
                is_lost,
                ..
            } => {
                let sql = statement.numbered();
                let query = bound::<Postgres>(&sql, &statement.values);
                let mut rows = query.fetch(&mut **connection);
                loop {
                    let next = async { rows.next().await.transpose() };
                    let row = lasting(is_lost, next).await;
                    let Some(row) = row.map_err(|error| StoreError::of(error, place))? else {
                        break;
                    };
                    all.push(read(Row::Postgres(&row))?);
                }
            }
        }
        Ok(all)
    }

    /// The one number that a statement gives.
    ///
    /// # Errors
    /// As of [`Connection::execute`], also when there is no row.
    pub(super) async fn number(
        &mut self,
        statement: &Statement<'_>,
        column: &str,
    ) -> Result<i64, StoreError> {
        let first = self.column(statement, column).await?.into_iter().next();
        first.ok_or_else(|| self.failed(sqlx::Error::RowNotFound))
    }

    /// One column of each row.
    ///
    /// # Errors
    /// As of [`Connection::execute`].
    pub(super) async fn column<T>(
        &mut self,
        statement: &Statement<'_>,
        column: &str,
    ) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> Column<'r>,
    {
        let place = Arc::clone(&self.place);
        let failed = |error| StoreError::of(error, &place);
        self.rows(statement, |row| row.get(column).map_err(failed))
            .await
    }

    /// Begins a transaction; one of a file takes the right to write first. Whatever is done in it is handed to
    /// [`Connection::end`].
    ///
    /// # Errors
    /// As of [`Connection::execute`].
    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        let begin = if self.is_server() {
            "BEGIN"
        } else {
            "BEGIN IMMEDIATE"
        };
        self.script(begin).await
    }

    /// Commits what was done since [`Connection::begin`], or rolls it back when it failed.
    ///
    /// # Errors
    /// What it failed with. [`StoreError::Undecided`] when the outcome of the commit on a server is unknown.
    pub(super) async fn end<T>(&mut self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        let Ok(done) = done else {
            // The connection rolls back by itself when it ends.
            drop(self.script("ROLLBACK").await);
            return done;
        };
        if !self.is_server() {
            let committed = self.script("COMMIT").await;
            if let Err(error) = committed {
                // A commit that found no room leaves the transaction open.
                drop(self.script("ROLLBACK").await);
                return Err(error);
            }
            return Ok(done);
        }
        let own = query("SELECT txid_current() AS own");
        let own = match self.number(&own, "own").await {
            Ok(own) => own,
            Err(error) => {
                drop(self.script("ROLLBACK").await);
                return Err(error);
            }
        };
        match self.script("COMMIT").await {
            Err(lost @ StoreError::Unreachable { .. }) => {
                self.came_through(own, lost).await.map(|()| done)
            }
            committed => committed.map(|()| done),
        }
    }

    /// Finds out whether a transaction was committed that a connection was lost with.
    async fn came_through(&mut self, own: i64, lost: StoreError) -> Result<(), StoreError> {
        let undecided = StoreError::Undecided {
            place: self.place.to_string(),
        };
        let asked = Instant::now();
        while asked.elapsed() < RETURN {
            if self.reconnect().await.is_err() {
                return Err(undecided);
            }
            let asked = query("SELECT txid_status(?) AS status").bind(own);
            let status = self.column::<Option<String>>(&asked, "status").await;
            match status.ok().and_then(|rows| rows.into_iter().next()?) {
                Some(status) if status == "committed" => return Ok(()),
                Some(status) if status == "aborted" => return Err(lost),
                // Under way, or not to be asked yet.
                Some(_) | None => tokio::time::sleep(PAUSE).await,
            }
        }
        Err(undecided)
    }

    /// Opens a connection again, and waits some seconds for a server that starts anew.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] when it does not come back.
    pub(super) async fn reconnect(&mut self) -> Result<(), StoreError> {
        let To::Postgres {
            connection,
            server,
            is_lost,
        } = &mut self.to
        else {
            return Ok(());
        };
        let asked = Instant::now();
        loop {
            match in_time(Box::pin(server.connect())).await {
                Ok(fresh) => {
                    **connection = fresh;
                    *is_lost = false;
                    return Ok(());
                }
                Err(error) if asked.elapsed() >= RETURN => {
                    return Err(StoreError::unreachable(error, &self.place));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Shows every later statement the same state, until the connection is closed.
    ///
    /// # Errors
    /// As of [`Connection::execute`].
    pub(super) async fn snapshot(&mut self) -> Result<(), StoreError> {
        if self.is_server() {
            self.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                .await?;
            self.may_stand_still().await
        } else {
            self.script("BEGIN").await
        }
    }

    /// Lets the transaction last however long nothing is asked of it.
    ///
    /// # Errors
    /// As of [`Connection::execute`].
    pub(super) async fn may_stand_still(&mut self) -> Result<(), StoreError> {
        if !self.is_server() {
            return Ok(());
        }
        self.script("SET LOCAL idle_in_transaction_session_timeout = 0")
            .await
    }

    /// Lets the next row of a table whose ids are counted get an id behind those that rows were given.
    ///
    /// # Errors
    /// As of [`Connection::execute`].
    pub(super) async fn after_given_ids(&mut self, table: &str) -> Result<(), StoreError> {
        if !self.is_server() {
            // A file counts from the highest one by itself.
            return Ok(());
        }
        let next = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM {table}), false)"
        );
        self.script(&next).await
    }

    /// Ends a row's statement so that others may read the row and not change it before this transaction is over. In a file a
    /// transaction is alone anyway.
    pub(super) const fn shared(&self) -> &'static str {
        if self.is_server() { " FOR SHARE" } else { "" }
    }

    /// What the clock of the server shows, in milliseconds since 1970; `None` of a file, which has none of its own.
    ///
    /// # Errors
    /// As of [`Connection::execute`].
    pub(super) async fn now_ms(&mut self) -> Result<Option<i64>, StoreError> {
        if !self.is_server() {
            return Ok(None);
        }
        let now = query(
            "SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT) AS now_ms",
        );
        self.number(&now, "now_ms").await.map(Some)
    }

    pub(super) async fn close(self) {
        use sqlx::Connection as _;
        // Every transaction is durable already. Closing folds the log of a file into it, and the next opening does that just
        // as well, so a failure here costs nothing.
        match self.to {
            To::Sqlite(connection) => drop(Box::pin(connection.close()).await),
            To::Postgres { connection, .. } => drop(in_time(Box::pin(connection.close())).await),
        }
    }
}

/// Waits for a server, and notes when the connection is of no further use.
async fn lasting<T>(
    is_lost: &mut bool,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    if *is_lost {
        return Err(io::Error::from(io::ErrorKind::NotConnected).into());
    }
    // Reset below: dropping this future leaves an answer on the connection that belongs to no request.
    *is_lost = true;
    let done = in_time(work).await;
    *is_lost = done.as_ref().is_err_and(is_loss);
    done
}

async fn in_time<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}

/// Whether an error means that the connection is gone, and not that the server refused a statement.
pub(super) fn is_loss(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        // Class 08: connection; 57P: the server shuts down or ended the session; 25P03: a session that stood still.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("08") || code.starts_with("57P") || code == "25P03"
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_in_their_order() {
        let statement = query("UPDATE t SET a = ?, b = ? WHERE c = ?")
            .bind(1_i64)
            .bind("two")
            .bind(None::<String>);
        assert_eq!(
            statement.numbered(),
            "UPDATE t SET a = $1, b = $2 WHERE c = $3"
        );
        assert_eq!(statement.values[2], Value::Text(None));
    }
}
