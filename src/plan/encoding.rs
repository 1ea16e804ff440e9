//! The one table of how references are encoded: how each is read, how it is written, and on what evidence.
//!
//! The server reports success for a wrongly encoded link and stores it empty, so an encoding is an assumption about the
//! server that can be wrong unnoticed. So every assumption is listed here once, with its source, and a run reads the first
//! item of each encoding back before it writes more.

use std::fmt;

/// How well a claim about the server is founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// Read in the vendor's own code that runs against the API.
    VendorCode,
    /// Read in the vendor's API description or reference.
    VendorDescription,
    /// Reported by an older tool, a support article or a third party.
    Reported,
    /// Concluded; stated nowhere.
    Inferred,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VendorCode => "vendor code",
            Self::VendorDescription => "vendor description",
            Self::Reported => "reported",
            Self::Inferred => "inferred",
        })
    }
}

/// How a content field is written that selects one item.
///
/// The vendor's sources disagree: the field mapping of the official CLI writes the id as text, because the batch engine
/// stores an object as nothing; a guide of the vendor for its own site writes the name of the list wherever a value field
/// holds the id. `lockgate probe` finds out which forms a server keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkForm {
    /// The target id as text.
    #[default]
    Scalar,
    /// `{"contentid": n, "fulllist": false}`.
    Object,
    /// The reference name of the list that the item is in. The value field holds the id.
    ListName,
}

impl LinkForms {
    /// Those of a target of which nothing is known.
    pub const USUAL: Self = Self {
        alone: LinkForm::Scalar,
        with_value: LinkForm::Scalar,
    };
}

impl LinkForm {
    /// What a person calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "the id as text",
            Self::Object => "an object with the id",
            Self::ListName => "the name of the list",
        }
    }
}

/// The forms in which a target takes a selection of one item; the default is that of a target of which nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LinkForms {
    /// In a field that names no value field. [`LinkForm::ListName`] would lose the selection there, and counts as
    /// [`LinkForm::Scalar`].
    pub alone: LinkForm,
    /// In a field that names a value field.
    pub with_value: LinkForm,
}

struct Row {
    name: &'static str,
    read: &'static str,
    written: &'static str,
    evidence: Evidence,
    source: &'static str,
}

macro_rules! encodings {
    ($($variant:ident { name: $name:literal, read: $read:literal, written: $written:literal,
        evidence: $evidence:ident, source: $source:literal })*) => {
        /// A way in which an entity holds a reference.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Encoding {
            $(
                #[doc = concat!("Read as ", $read, "; written as ", $written, ".")]
                #[doc = ""]
                #[doc = concat!("Source: ", $source, ".")]
                $variant,
            )*
        }

        impl Encoding {
            /// Every encoding, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            const fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row {
                        name: $name,
                        read: $read,
                        written: $written,
                        evidence: Evidence::$evidence,
                        source: $source,
                    },)*
                }
            }
        }
    };
}

encodings! {
    SingleLink {
        name: "single link",
        read: "`{\"contentid\": n, \"fulllist\": false}` as the value of a field, or a whole expanded item",
        written: "the target id as a string: the batch engine reads the column as text and stores an object as nothing",
        evidence: VendorCode,
        source: "field mapping of the official CLI after its repair of single selections"
    }
    NestedLink {
        name: "nested link",
        read: "an object with a content id and no `fulllist`, or one inside other JSON",
        written: "the same object with the target id",
        evidence: VendorCode,
        source: "field mapping of the official CLI, which keeps bare nested objects"
    }
    ScalarLink {
        name: "ids in a link field",
        read: "one id or a comma list as the text of a content field",
        written: "the target ids in the same order as text",
        evidence: VendorCode,
        source: "field mapping of the official CLI: a field may be its own value field"
    }
    ListName {
        name: "list name",
        read: "the reference name of a container as the text of a content field",
        written: "the name of the target's container as text",
        evidence: Reported,
        source: "a vendor support article and an older official CLI"
    }
    WholeList {
        name: "whole list",
        read: "`{\"referencename\": …, \"fulllist\": true}`",
        written: "the same object with the name of the target's container",
        evidence: VendorCode,
        source: "the official CLI posts this object in the structure it was read in"
    }
    OrderedList {
        name: "whole list with an order",
        read: "`{\"referencename\": …, \"sortids\": \"1,2\", \"fulllist\": true}`",
        written: "the same object with name and ids of the target, in order",
        evidence: VendorCode,
        source: "field mapping of the official CLI after its repair of `sortids`"
    }
    PickedItems {
        name: "picked items",
        read: "`{\"referencename\": …, \"sortids\": \"1,2\", \"fulllist\": false}`",
        written: "the same object with name and ids of the target, in order",
        evidence: VendorCode,
        source: "field mapping of the official CLI after its repair of `sortids`"
    }
    ValueField {
        name: "value field with one id",
        read: "the text of the field that a content field names as `LinkeContentDropdownValueField`",
        written: "the target id as text",
        evidence: VendorCode,
        source: "field mapping of the official CLI: the companion carries the selection"
    }
    ValueFieldList {
        name: "value field with several ids",
        read: "a comma list in the field that a content field names as `LinkeContentDropdownValueField`",
        written: "the target ids in the same order, without spaces",
        evidence: VendorCode,
        source: "field mapping of the official CLI: the companion carries the selection"
    }
    SortField {
        name: "sort field",
        read: "a comma list in the field that a content field names as `SortIDFieldName`",
        written: "the target ids in the same order, without spaces",
        evidence: VendorCode,
        source: "field mapping of the official CLI, which reads it without a value field"
    }
    AttachmentUrl {
        name: "image or file",
        read: "`{\"url\": …}` with label and measures",
        written: "the same object with the URL of the target's asset",
        evidence: VendorCode,
        source: "field mapping of the official CLI"
    }
    AttachmentList {
        name: "attachment list",
        read: "an array of `{\"url\": …}`",
        written: "the same array with the URLs of the target's assets",
        evidence: VendorCode,
        source: "field mapping of the official CLI"
    }
    LinkUrl {
        name: "link to an asset",
        read: "`{\"href\": …, \"target\": …, \"text\": …}` with the URL of an asset",
        written: "the same object with the URL of the target's asset",
        evidence: VendorCode,
        source: "field mapping of the official CLI, which recurses into the object"
    }
    TextUrl {
        name: "asset URL as text",
        read: "a text that is exactly the URL of an asset",
        written: "the URL of the target's asset, query kept",
        evidence: VendorCode,
        source: "field mapping of the official CLI"
    }
    EmbeddedUrl {
        name: "asset URL inside text",
        read: "the URL of an asset anywhere in HTML, CSS, Markdown or JSON text",
        written: "the text with the URL of the target's asset, its surroundings untouched",
        evidence: Inferred,
        source: "text is stored verbatim, so the URL in it only has to be the right one"
    }
    Gallery {
        name: "photo gallery",
        read: "`{\"galleryid\": n, …}`, also spelled `galleryID` or `mediaGroupingID`, or the bare id in a PhotoGallery field",
        written: "the same form with the target's gallery id",
        evidence: Inferred,
        source: "the official CLI posts the read form; an older one posted the id as text"
    }
    ItemContainer {
        name: "container of an item",
        read: "`properties.referenceName` in any case",
        written: "the reference name of the target's container",
        evidence: VendorCode,
        source: "payload of the official CLI"
    }
    ItemModel {
        name: "model of an item",
        read: "`properties.definitionName` in any case",
        written: "the reference name of the target's model",
        evidence: VendorCode,
        source: "payload of the official CLI"
    }
    ZoneModule {
        name: "module in a zone",
        read: "`zones.*[].item` with `contentid`, `contentId` or `contentID`",
        written: "`contentid` with the target id, saved with `linkExistingComponents`",
        evidence: VendorCode,
        source: "page payload of the official CLI"
    }
    PageTemplate {
        name: "template of a page",
        read: "`templateName`",
        written: "the name of the target's template",
        evidence: VendorCode,
        source: "page payload of the official CLI"
    }
    DynamicList {
        name: "list of a dynamic page",
        read: "`dynamic.referenceName`",
        written: "the reference name of the target's container",
        evidence: VendorDescription,
        source: "PageDynamic in the vendor's API description"
    }
    LinkedPage {
        name: "page that a link page shows",
        read: "`linkToPageID` or `redirect.pageID` above 0",
        written: "the target's page id",
        evidence: Inferred,
        source: "members of link pages as editors see them; the API description does not list them"
    }
    LinkedFile {
        name: "file that a link page shows",
        read: "`linkToFileID` or `redirect.fileID` above 0",
        written: "the target's media id",
        evidence: Inferred,
        source: "members of link pages as editors see them; the API description does not list them"
    }
    RedirectUrl {
        name: "destination at an asset",
        read: "`redirectUrl` or `redirect.url` of a link page, `destinationUrl` of a URL redirection",
        written: "the same with the URL of the target's asset",
        evidence: Inferred,
        source: "text is stored verbatim, so the URL in it only has to be the right one"
    }
    ModelDefinition {
        name: "model that a field links to",
        read: "`fields[].settings.ContentDefinition`: a reference name, now and then an id",
        written: "the reference name or id of the target's model",
        evidence: VendorCode,
        source: "model upload of the official CLI; an unknown name is answered 404"
    }
    ContainerModel {
        name: "model of a container",
        read: "`contentDefinitionID`",
        written: "the target's model id; 1 is RichTextArea everywhere",
        evidence: VendorCode,
        source: "container payload of the official CLI"
    }
    ZoneModel {
        name: "model of a template zone",
        read: "`contentSectionDefinitions[].contentDefinitionID`",
        written: "the target's model id",
        evidence: VendorCode,
        source: "template payload of the official CLI"
    }
    ZoneContainer {
        name: "container of a template zone",
        read: "`contentSectionDefinitions[]` with `itemContainerID` or `contentViewID` above 0",
        written: "the target's container id",
        evidence: VendorCode,
        source: "template payload of the official CLI maps `itemContainerID`; `contentViewID` names the same thing in the vendor's description"
    }
    DefaultModule {
        name: "default module of a template zone",
        read: "`contentSectionDefinitions[].defaultModules[].contentDefinitionID`",
        written: "the target's model id",
        evidence: VendorDescription,
        source: "page template in the vendor's API description"
    }
    AssetGallery {
        name: "gallery of an asset",
        read: "`mediaGroupingID` above 0",
        written: "the target's gallery id as `groupingID` of the upload",
        evidence: VendorCode,
        source: "asset upload of the official CLI"
    }
}

impl Encoding {
    /// What a person calls it.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The form in which the source shows it.
    pub const fn read(self) -> &'static str {
        self.row().read
    }

    /// The form in which it is sent to the target.
    pub const fn written(self) -> &'static str {
        self.row().written
    }

    /// A bit of its own, for sets of encodings in one `u64`.
    pub const fn bit(self) -> u64 {
        1 << self as u64
    }

    /// How well the two forms are founded.
    pub const fn evidence(self) -> Evidence {
        self.row().evidence
    }

    /// Where the knowledge comes from.
    pub const fn source(self) -> &'static str {
        self.row().source
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_encoding_has_a_name_of_its_own_and_a_source() {
        let names: BTreeSet<_> = Encoding::ALL.iter().map(|one| one.name()).collect();
        let bits = Encoding::ALL.iter().fold(0, |bits, one| bits | one.bit());
        assert_eq!(names.len(), Encoding::ALL.len());
        assert_eq!(bits.count_ones() as usize, Encoding::ALL.len());
        for one in Encoding::ALL {
            assert!(!one.read().is_empty() && !one.written().is_empty());
            assert!(one.source().len() > 10, "{one}: {}", one.evidence());
        }
    }
}
