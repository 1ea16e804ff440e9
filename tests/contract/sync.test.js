// The Content Sync SDK: after each run, its store equals the state of the mock.

import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";

import syncSdk from "@agility/content-sync";
import management from "@agility/management-sdk";

import { post, SOURCE, start, TOKEN } from "./mock.js";
import { Table } from "./table.js";

const { version } = createRequire(import.meta.url)("@agility/content-sync/package.json");
const table = new Table(`@agility/content-sync ${version}`);
const LOCALES = ["en-us", "fr-ca"];
const [EN] = LOCALES;
const CHANNEL = "website";

let mock;
let folder;
let manage;
let preview;

before(async () => {
	mock = await start();
	folder = await mkdtemp(join(tmpdir(), "lockgate-contract-"));
	preview = await client(true, "Preview");
	manage = new management.ApiClient({ token: TOKEN, baseUrl: mock.origin, duration: 20, retryCount: 1000 });
});
after(async () => {
	await mock?.stop();
	await rm(folder, { recursive: true });
});

async function client(isPreview, mode) {
	const made = syncSdk.getSyncClient({
		guid: SOURCE, apiKey: await mock.key(SOURCE, mode), isPreview, languages: LOCALES, channels: [CHANNEL], logLevel: "none",
		store: { ...syncSdk.getSyncClient({ guid: SOURCE, apiKey: "any" }).config.store, options: { rootPath: join(folder, mode) } },
	});
	// The option refuses addresses without TLS.
	made.agilityClient.config.baseUrl = `${mock.origin}/${SOURCE}`;
	return made;
}

/** The client waits a second between two runs unless it does not know when the last one was. */
async function again(made) {
	for (const languageCode of LOCALES) {
		const syncState = await made.store.getSyncState(languageCode);
		await made.store.saveSyncState({ syncState: { ...syncState, lastSyncDate: null }, languageCode });
	}
	await made.runSync();
}

/** What the client keeps of one kind, by name of its file. */
async function kept(mode, locale, kind) {
	const place = join(folder, mode, locale, kind);
	const files = await readdir(place).catch(() => []);
	const rows = files.map(async (file) => [file.replace(".json", ""), JSON.parse(await readFile(join(place, file), "utf8"))]);
	return Object.fromEntries(await Promise.all(rows));
}

/** The state as the Fetch API writes it. */
async function expected(admits) {
	const text = JSON.stringify(await mock.state(SOURCE)).replaceAll("http://mock.invalid", mock.direct);
	const state = JSON.parse(text);
	return { ...state, content: state.content.filter(admits).map(fetchItem), pages: state.pages.filter(admits) };
}

/** `Hero Image` is `heroImage`. */
function fieldKey(name) {
	const joined = name.replaceAll(/\s+(.)/g, (_, letter) => letter.toUpperCase());
	return joined[0].toLowerCase() + joined.slice(1);
}

const fetchItem = (row) => ({
	...row,
	fields: Object.fromEntries(Object.entries(row.fields).map(([name, value]) => [fieldKey(name), value])),
});

function fetchPage(row, pages) {
	const { locale, parentPageID, placeBeforePageItemID, channelID, linkToPageID, linkToFileID, ...page } = row;
	if (page.pageType === "link") page.redirect = { url: page.redirectUrl, target: "_self" };
	const zones = Object.entries(page.zones ?? {}).map(([zone, modules]) => [
		zone,
		modules.map(({ item, ...rest }) => ({ ...rest, item: { contentid: item.contentId ?? item.contentid, fulllist: false } })),
	]);
	return { ...page, path: pathOf(row, pages), zones: Object.fromEntries(zones) };
}

function pathOf(row, pages) {
	const parent = pages.find((other) => other.locale === row.locale && other.pageID === row.parentPageID);
	return `${parent ? pathOf(parent, pages) : ""}/${row.name.toLowerCase()}`;
}

const byId = (rows, id) => Object.fromEntries(rows.map((row) => [row[id], row]));

/** Row by row, so that a difference is not lost among many rows. */
function equal(found, rows, id) {
	const wanted = byId(rows, id);
	assert.deepEqual(Object.keys(found).sort(), Object.keys(wanted).sort());
	for (const [key, row] of Object.entries(wanted)) assert.deepEqual(found[key], row);
}

/** Items, lists, pages, sitemaps and redirections of the store against the state. */
async function compare(mode, admits) {
	const state = await expected(admits);
	for (const locale of LOCALES) {
		const items = state.content.filter((row) => row.locale === locale).map(({ locale: _, ...row }) => row);
		equal(await kept(mode, locale, "item"), items, "contentID");

		const pages = state.pages.filter((row) => row.locale === locale);
		equal(await kept(mode, locale, "page"), pages.map((row) => fetchPage(row, state.pages)), "pageID");

		const lists = await kept(mode, locale, "list");
		for (const { properties } of items) assert.ok(lists[properties.referenceName], `the list ${properties.referenceName}`);
		for (const [name, rows] of Object.entries(lists)) {
			const listed = items.filter((row) => row.properties.referenceName === name);
			equal(byId(rows, "contentID"), listed, "contentID");
		}

		const nodes = Object.values((await kept(mode, locale, "sitemap"))[CHANNEL]);
		assert.deepEqual(nodes.map(visit).sort(), pages.flatMap((row) => nodesOf(row, items)).sort());
		const nested = (await kept(mode, locale, "nestedsitemap"))[CHANNEL];
		const walk = (level) => level.flatMap((node) => [node, ...walk(node.children)]);
		assert.deepEqual(walk(nested).map(visit).sort(), nodes.map(visit).sort());

		const { urlredirections } = await kept(mode, locale, "urlredirections");
		const redirections = state.redirections.map(({ urlRedirectionID, httpCode, ...row }) => ({ ...row, id: urlRedirectionID, statusCode: httpCode }));
		equal(byId(urlredirections.items, "id"), redirections, "id");
	}
}

const visit = (node) => `${node.pageID} ${node.contentID ?? ""}`;

/** A dynamic page has a node for each item of its list. */
function nodesOf(row, items) {
	if (row.pageType !== "dynamic") return [`${row.pageID} `];
	const list = row.dynamic.referenceName.toLowerCase();
	return items.filter((one) => one.properties.referenceName.toLowerCase() === list).map((one) => `${row.pageID} ${one.contentID}`);
}

table.method("runSync: all that is published", async () => {
	const live = await client(false, "Fetch");
	await live.runSync();
	await compare("Fetch", (row) => row.properties.state === 2);
});

table.method("runSync: everything, in preview, after a wait for a busy feed", async () => {
	const faults = JSON.stringify(["busy,path=/sync/items,count=1"]);
	await fetch(`${mock.origin}/_mock/faults`, { method: "PUT", body: faults });
	await preview.runSync();
	const { content } = await mock.state(SOURCE);
	assert.equal(Object.keys(await kept("Preview", EN, "item")).length, content.filter((row) => row.locale === EN).length);
	await compare("Preview", () => true);
});

table.method("runSync: only what changed since", async () => {
	const before = (await mock.requests()).length;
	const { contentMethods: content, pageMethods: pages } = manage;
	const topic = await content.getContentItem(1000, SOURCE, EN);
	await content.saveContentItem({ ...topic, fields: { ...topic.fields, Label: "Traffic" } }, SOURCE, EN);
	const [added] = await content.saveContentItem({ ...topic, contentID: -1, fields: { ...topic.fields, Label: "Weather" } }, SOURCE, EN);
	await content.deleteContent(1005, SOURCE, EN);
	await content.unPublishContent(1002, SOURCE, EN);
	const home = await pages.getPage(20, SOURCE, EN);
	await pages.savePage({ ...home, title: "Start", name: "start" }, SOURCE, EN);
	const [channel] = await pages.getSitemap(SOURCE, EN);
	const last = channel.pages.findLast((row) => row.childPages.length === 0 && row.pageID !== 20);
	await pages.deletePage(last.pageID, SOURCE, EN);
	await post(mock, SOURCE, "url-redirections", [{ urlRedirectionID: 0, originUrl: "~/tram", destinationUrl: "~/news", httpCode: 301, destinationLocale: null, originLocales: [], content: null }]);

	await again(preview);

	const items = await kept("Preview", EN, "item");
	assert.equal(items[1000].fields.label, "Traffic");
	assert.equal(items[added].fields.label, "Weather");
	assert.equal(items[1005], undefined);
	assert.equal((await kept("Preview", EN, "page"))[last.pageID], undefined);
	await compare("Preview", () => true);
	const reads = (await mock.requests()).slice(before).filter((request) => request.path.includes("/sync/"));
	assert.ok(reads.length >= 4);
	assert.ok(reads.every((request) => !/syncToken=0(&|$)/.test(request.query)), "no feed is read from its start");
});

table.method("runSync: nothing changed", async () => {
	const before = await kept("Preview", EN, "item");
	const count = (await mock.requests()).length;
	await again(preview);
	assert.deepEqual(await kept("Preview", EN, "item"), before);
	const asked = (await mock.requests()).slice(count).map((request) => request.path);
	assert.ok(!asked.some((path) => path.includes("/sitemap/")), "the sitemap is read only after a change");
});

table.method("syncContent", async () => {
	const { itemToken } = await preview.store.getSyncState(EN);
	assert.equal(await preview.syncContent(EN, itemToken), itemToken);
	assert.ok((await preview.syncContent(EN, 0)) >= itemToken);
});

table.method("syncPages", async () => {
	const { pageToken } = await preview.store.getSyncState(EN);
	assert.equal(await preview.syncPages(EN, pageToken), pageToken);
	assert.equal(await preview.syncPages(EN, 0), pageToken);
});

table.left("clearSync", "it only empties the client's own folder");
table.complete(["runSync", "syncContent", "syncPages", "clearSync"]);
table.described(() => mock.judged);
