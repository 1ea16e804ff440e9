-- How the items of a list stood when both sides last agreed about it. A list without a row is one of which nothing is
-- known.
CREATE TABLE list_orders (
    source    TEXT    NOT NULL,
    target    TEXT    NOT NULL,
    list      TEXT    NOT NULL,                 -- reference name of its container on the source, in lower case
    locale    TEXT    NOT NULL,
    numbers   TEXT    NOT NULL,                 -- JSON object: source id of the item to its number, null where it is owed
    PRIMARY KEY (source, target, list, locale)
) WITHOUT ROWID;
