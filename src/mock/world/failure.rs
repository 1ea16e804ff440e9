//! Why a save is refused: at once with an HTTP status, or later inside a batch.

use serde_json::{Value, json};

/// A synchronous refusal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Refusal {
    /// A status with a plain text. Clients of the real server meet texts, JSON strings and problem
    /// objects alike; which one comes is fixed here by status.
    pub(crate) fn new(status: u16, text: impl Into<String>) -> Self {
        Self {
            status,
            body: Value::String(text.into()),
        }
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(404, format!("{what} was not found."))
    }

    /// A 400 in the form of the ASP.NET problem object, with the member that is wrong.
    pub(crate) fn invalid(member: &str, text: impl Into<String>) -> Self {
        let text: String = text.into();
        let body = json!({
            "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1", "title": "One or more validation errors occurred.",
            "status": 400, "detail": &text, "errors": { member: [text] }, "traceId": "00-6d6f636b-00"
        });
        Self { status: 400, body }
    }
    /// The same as an object in which only `exceptionMessage` says what is wrong, as ASP.NET writes exceptions.
    pub(crate) fn into_exception(self) -> Self {
        let said = match &self.body {
            Value::String(text) => Some(text.clone()),
            body => body["detail"].as_str().map(str::to_owned),
        };
        let Some(said) = said else {
            return self;
        };
        let body = json!({
            "message": "An error has occurred.", "exceptionMessage": said, "exceptionType": "System.Exception",
            "stackTrace": "   at Agility.Mock.Controllers.Handle()"
        });
        Self { body, ..self }
    }
}

/// Why one item of a batch failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A linked id or a container that is not there: the real server runs into a null.
    NullReference,
    /// A link to a list that is not there, by its reference name.
    NoSuchList(String),
    /// A value that the model does not admit.
    Validation(String),
    /// A row of another table that is not there; answered by the database. The text names the column.
    ForeignKey(&'static str),
    /// Anything that the server checks itself.
    Plain(String),
}

impl Failure {
    /// The `errorMessage` of the batch item, in one of the three forms that the real server mixes: an
    /// exception dump, a JSON object as text, a plain text.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::NullReference => "System.NullReferenceException: Object reference not set to an instance of an object.\r\n   \
                 at Agility.Mock.Batches.BatchInsertContentItem(BatchItem item)\r\n   at Agility.Mock.Batches.ProcessBatch(Int32 batchID)"
                .to_owned(),
            Self::NoSuchList(name) => json!({
                "message": format!("Cannot create this item: {name} does not exist"), "exceptionType": "System.Exception"
            })
            .to_string(),
            Self::Validation(text) => format!(
                "Agility.Shared.Exceptions.ManagementValidationException: {text}\r\n   at Agility.Mock.Batches.ValidateContentItem(ContentItem item)"
            ),
            Self::ForeignKey(column) => format!(
                "Microsoft.Data.SqlClient.SqlException (0x80131904): The statement conflicted with the FOREIGN KEY constraint on column '{column}'.\r\n   \
                 at Agility.Mock.Batches.SavePage(PageItem page)"
            ),
            Self::Plain(text) => text.clone(),
        }
    }

    /// `errorType` of the `failedItems` row.
    pub(crate) fn exception(&self) -> &'static str {
        match self {
            Self::NullReference => "System.NullReferenceException",
            Self::Validation(_) => "Agility.Shared.Exceptions.ManagementValidationException",
            Self::ForeignKey(_) => "Microsoft.Data.SqlClient.SqlException",
            Self::NoSuchList(_) | Self::Plain(_) => "System.Exception",
        }
    }
}
