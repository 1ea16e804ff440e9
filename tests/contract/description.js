// The vendor's API descriptions as tables: which endpoints there are, what they take and what they answer.
//
// A member `name type` has to be there, `type?` may be null or missing, and so may a member whose type is a shape. A query
// parameter with `!` has to be sent. `[x]` is a list, `map<str,x>` an object with any names.

import { readFileSync } from "node:fs";

const load = (name) => JSON.parse(readFileSync(new URL(`description/${name}.json`, import.meta.url), "utf8"));

/** What the vendor's clients read or send and the descriptions lack, with the client that shows it. */
const BEYOND = {
	management: {
		shapes: {
			// The official CLI, whose batches have a summary.
			Batch: "failedItems [FailedItem]?, totalItems int?, successCount int?, failureCount int?, durationMs long?",
			FailedItem: "batchItemId int, itemId int, itemType str?, errorType str?, errorMessage str?",
			// The mock's own, so that its state keeps the focal points that the headers of a download have.
			AssetMedia: "focalX any?, focalY any?",
			// The official CLI, which posts a page as the Fetch API gave it.
			PageItem: "redirect any?",
			// The management SDK.
			BatchTypes: "itemTypes [EnumInfo], operationTypes [EnumInfo], workflowOperations [EnumInfo], states [EnumInfo]",
			// An older form of the request has one target, a newer one several; both are taken.
			InitializePageRequest: "languageCodeTargets [str]?",
		},
		endpoints: {
			"GET batch/types": { answer: "BatchTypes" },
			"GET {locale}/list/{referenceName}": {
				query: "filter str, fields str, sortDirection str, sortField str, take int, skip int", answer: "ContentList",
			},
			"GET /oauth/getpreviewkey": { query: "guid str!", answer: "str" },
			"GET /oauth/getfetchkey": { query: "guid str!", answer: "str" },
		},
	},
	fetch: {
		shapes: {
			// The Fetch SDK: the name in its types, in another case than in the description; redirections with an envelope.
			HeadlessGallery: "galleryId int?, galleryID int",
			Redirections: "items [UrlRedirection], isUpToDate bool, lastAccessDate date",
			UrlRedirection: "destinationLocale str?, originLocales [str]?, content str?",
			HeadlessContentItemProperties: "created date?, syncToken long?",
			HeadlessContentPage:
				"pageType str?, dynamic any?, requiresApproval bool?, releaseDate date?, pullDate date?, redirect RedirectUrl, dynamicItemContentID int?",
			HeadlessContentZone: "title str?, item any",
			HeadlessContentPageByPath: "sitemapNode HeadlessContentSiteMapItem",
			HeadlessContentItemSeo: "menuVisible bool?, sitemapVisible bool?",
			// The Content Sync SDK waits while a feed is busy. A deleted row has no more than its id and its state.
			HeadlessContentItemHeadlessSync: "busy bool?, syncToken long?",
			HeadlessContentPageHeadlessSync: "busy bool?, syncToken long?, items [SyncedPage]?",
			HeadlessContentItem: "scripts any?",
		},
		endpoints: { "GET urlredirection": { answer: "Redirections", query: "lastAccessDate date" } },
	},
};

const members = (text) => new Map(text.split(/, (?=\w+ )/).filter(Boolean).map((member) => member.split(/ (.*)/s).slice(0, 2)));

/** One table, with what is beyond it, ready to be asked. */
function table(name) {
	const { enums, shapes, endpoints } = load(name);
	const parsed = new Map(Object.entries(shapes).map(([shape, text]) => [shape, members(text)]));
	for (const [shape, text] of Object.entries(BEYOND[name].shapes)) {
		parsed.set(shape, new Map([...(parsed.get(shape) ?? []), ...members(text)]));
	}
	if (name === "fetch") {
		const page = [...parsed.get("HeadlessContentPage")].filter(([member]) => !["pageID", "properties"].includes(member));
		const deleted = page.map(([member, type]) => [member, type.endsWith("?") ? type : `${type}?`]);
		parsed.set("SyncedPage", new Map([["pageID", "int"], ["properties", "map<str,any>"], ...deleted]));
	}
	const rows = Object.entries({ ...endpoints, ...BEYOND[name].endpoints }).map(([key, row]) => {
		const [method, path] = key.split(" ");
		return { key, method, parts: path.split("/").filter(Boolean), ...row, query: members(row.query ?? "") };
	});
	return { enums, shapes: parsed, rows };
}

const TABLES = { management: table("management"), fetch: table("fetch") };

/** The table and the path below its base that an address belongs to; none for files and for the mock's own paths. */
function place(path) {
	const parts = path.split("/").filter(Boolean).map(decodeURIComponent);
	const folded = parts.map((part) => part.toLowerCase());
	if (folded[0] === "api" && folded[2] === "instance") return ["management", parts.slice(4)];
	if (folded[0] === "api" || folded[0] === "oauth") return ["management", parts];
	if (["preview", "fetch"].includes(folded[1])) return ["fetch", parts.slice(2)];
	return [];
}

/** How well a path fits: literal parts count most, then those that have to be numbers. */
function fit(row, parts) {
	if (row.parts.length !== parts.length) return -1;
	let score = 0;
	for (const [at, part] of row.parts.entries()) {
		if (part.startsWith("{")) {
			const isId = /id\}$/i.test(part);
			if (isId && !/^-?\d+$/.test(parts[at])) return -1;
			score += isId ? 1 : 0;
		} else if (part.toLowerCase() === parts[at].toLowerCase()) score += 10;
		else return -1;
	}
	return score;
}

/** The row of a request. `null`: an address that no table is about; `undefined`: one that its table lacks. */
export function endpoint(method, path) {
	const [name, parts] = place(path);
	if (!name) return null;
	const fitting = TABLES[name].rows.filter((row) => row.method === method && fit(row, parts) >= 0);
	const [row] = fitting.sort((one, other) => fit(other, parts) - fit(one, parts));
	return row && { ...row, table: name, name: name === "fetch" ? row.key.replace(" ", " fetch: ") : row.key };
}

const SIMPLE = {
	int: (value) => Number.isInteger(value) && Math.abs(value) < 2 ** 31,
	long: Number.isInteger,
	num: (value) => typeof value === "number",
	bool: (value) => typeof value === "boolean",
	str: (value) => typeof value === "string",
	date: (value) => typeof value === "string" && /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/.test(value),
	any: () => true,
};

/** What is wrong with a value, one line each, with its place. `whole` asks for the members that cannot be missing. */
export function faults(name, type, value, at = "", whole = true) {
	const { enums, shapes } = TABLES[name];
	const optional = type.endsWith("?");
	const plain = type.replace(/[?!]$/, "");
	const shape = shapes.get(plain);
	if (value === null || value === undefined) return optional || shape || plain === "none" || plain === "any" ? [] : [`${at}: ${value} instead of ${plain}`];
	if (plain === "none") return [];
	const list = plain.match(/^\[(.*)\]$/);
	const map = plain.match(/^map<str,(.*)>$/);
	const wrong = [`${at}: ${JSON.stringify(value).slice(0, 60)} instead of ${plain}`];
	if (list) return Array.isArray(value) ? value.flatMap((row) => faults(name, list[1], row, `${at}[]`, whole)) : wrong;
	if (map) return isObject(value) ? Object.entries(value).flatMap(([, row]) => faults(name, `${map[1]}?`, row, `${at}.*`, whole)) : wrong;
	if (enums[plain]) return enums[plain].includes(value) ? [] : wrong;
	if (!shape) return SIMPLE[plain](value) ? [] : wrong;
	if (!isObject(value)) return wrong;
	const missing = [...shape.keys()].filter((member) => whole && !(member in value)).flatMap((member) => faults(name, shape.get(member), undefined, `${at}.${member}`));
	const present = Object.entries(value).flatMap(([member, row]) =>
		shape.has(member) ? faults(name, shape.get(member), row, `${at}.${member}`, whole) : [`${at}.${member}: no such member of ${plain}`],
	);
	return [...missing, ...present];
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** What is wrong with the query of a request. */
export function queryFaults(row, query) {
	const known = new Map([...row.query].map(([name, type]) => [name.toLowerCase(), type]));
	const sent = [...new URLSearchParams(query)];
	const missing = [...known].filter(([name, type]) => type.endsWith("!") && !sent.some(([key]) => key.toLowerCase() === name));
	const odd = sent.flatMap(([key, text]) => {
		const type = known.get(key.toLowerCase())?.replace(/[?!]$/, "");
		if (!type) return [`?${key}: no such parameter`];
		const value = /^(int|long|num)$/.test(type) || type === "ContentViewType" ? Number(text) : type === "bool" ? { true: true, false: false }[text] : text;
		return faults(row.table, type, value, `?${key}`);
	});
	return [...missing.map(([name]) => `?${name}: missing`), ...odd];
}
