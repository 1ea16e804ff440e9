//! The enumerations that the API reports about itself.

use serde_json::{Value, json};

type Rows<'a> = &'a [(i64, &'a str)];

const ITEM_TYPES: Rows<'_> = &[
    (1, "Page"),
    (2, "ContentItem"),
    (3, "ContentList"),
    (4, "Tag"),
    (5, "ModuleDef"),
];
const STATES: Rows<'_> = &[
    (0, "None"),
    (1, "Pending"),
    (2, "InProcess"),
    (3, "Processed"),
    (4, "Deleted"),
];
const WORKFLOW: Rows<'_> = &[
    (1, "Publish"),
    (2, "Unpublish"),
    (3, "Approve"),
    (4, "Decline"),
    (5, "RequestApproval"),
];
const OPERATIONS: Rows<'_> = &[
    (1, "Publish"),
    (2, "Unpublish"),
    (3, "Approve"),
    (4, "Decline"),
    (5, "RequestApproval"),
    (6, "Copy"),
    (7, "ClonePageTemplate"),
    (8, "Sync"),
    (9, "TagExport"),
    (10, "TagImport"),
    (11, "ContentExport"),
    (12, "ContentImport"),
    (13, "InstanceTemplateImport"),
    (14, "InsertContent"),
    (15, "DeleteContent"),
    (16, "SavePage"),
    (17, "DeletePage"),
    (19, "Translate"),
    (20, "Initialize"),
];
const ITEM_STATES: Rows<'_> = &[
    (-1, "New"),
    (0, "None"),
    (1, "Staging"),
    (2, "Published"),
    (3, "Deleted"),
    (4, "Approved"),
    (5, "AwaitingApproval"),
    (6, "Declined"),
    (7, "Unpublished"),
];

fn rows(rows: Rows<'_>) -> Value {
    rows.iter()
        .map(|(value, name)| json!({ "value": value, "name": name }))
        .collect()
}

/// `batch/types`.
pub(super) fn batch_types() -> Value {
    json!({
        "itemTypes": rows(ITEM_TYPES), "operationTypes": rows(OPERATIONS), "workflowOperations": rows(WORKFLOW),
        "states": rows(STATES)
    })
}

/// `/api/v1/types`.
pub(super) fn all_types() -> Value {
    json!({
        "contentModelTypes": rows(&[(0, "Item"), (1, "List"), (2, "Module")]),
        "contentViewTypes": rows(&[(0, "All"), (1, "Shared"), (2, "Linked"), (3, "DynamicPageList")]),
        "itemStates": rows(ITEM_STATES), "pageItemTemplateTypes": rows(&[(0, "Variable"), (1, "FixedModule")]),
        "batchItemTypes": rows(ITEM_TYPES), "batchOperationTypes": rows(OPERATIONS), "batchStates": rows(STATES),
        "workflowOperationTypes": rows(WORKFLOW), "assetGroupingTypes": rows(&[(1, "Gallery")]),
        "modes": [], "pageTypes": [], "instancePermissions": [], "userTypes": [], "notificationTypes": [], "changeItemTypes": [],
        "changeTypes": []
    })
}
