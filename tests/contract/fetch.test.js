// The Content Fetch SDK: what a site reads, published and in preview.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before } from "node:test";

import fetchSdk from "@agility/content-fetch";
import management from "@agility/management-sdk";

import { post, SOURCE, start, TOKEN } from "./mock.js";
import { has, Table } from "./table.js";

const { version } = createRequire(import.meta.url)("@agility/content-fetch/package.json");
const table = new Table(`@agility/content-fetch ${version}`);
const VENDOR = "https://api.aglty.io/";
const EN = "en-us";
const FR = "fr-ca";

let mock;
let preview;
let live;
let manage;

// The client accepts no base URL without TLS, so its requests are led to the mock here. Any other address is refused.
const send = globalThis.fetch;
globalThis.fetch = (url, init) => {
	const address = String(url);
	if (address.startsWith(VENDOR)) return send(address.replace(VENDOR, `${mock.origin}/`), init);
	assert.ok([mock.origin, mock.direct].some((own) => address.startsWith(`${own}/`)), `a request to ${address}`);
	return send(url, init);
};

before(async () => {
	mock = await start();
	const client = (isPreview, apiKey) => fetchSdk.getApi({ guid: SOURCE, apiKey, isPreview, logLevel: "silent" });
	preview = client(true, await mock.key(SOURCE, "Preview"));
	live = client(false, await mock.key(SOURCE, "Fetch"));
	manage = new management.ApiClient({ token: TOKEN, baseUrl: mock.origin, duration: 20, retryCount: 1000 });
});
after(() => mock?.stop());

table.method("getContentItem", async () => {
	const article = await live.getContentItem({ contentID: 1020, locale: EN, contentLinkDepth: 0 });
	has(article, "contentID", "properties", "fields", "seo");
	has(article.properties, "state", "modified", "versionID", "referenceName", "definitionName", "itemOrder");
	assert.equal(article.fields.headline, "Tram line 9 opens at dawn");
	assert.match(article.fields.heroImage.url, /\/img\/tram\/first-passengers\.svg$/);
	assert.deepEqual(article.fields.writer, { contentid: 1012, fulllist: false });
	assert.equal(article.fields.writerID, "1012");
	assert.notEqual((await live.getContentItem({ contentID: 1020, locale: FR })).fields.headline, article.fields.headline);
	assert.equal(await live.getContentItem({ contentID: 987654, locale: EN }), undefined);
});

table.method("getContentItem: staged, in preview only", async () => {
	assert.equal((await preview.getContentItem({ contentID: 1031, locale: EN })).properties.state, 1);
	assert.equal(await live.getContentItem({ contentID: 1031, locale: EN }), undefined);
});

table.method("getContentItem: with the key of the other mode", async () => {
	const apiKey = await mock.key(SOURCE, "Preview");
	const wrong = fetchSdk.getApi({ guid: SOURCE, apiKey, isPreview: false, logLevel: "silent" });
	assert.equal(await wrong.getContentItem({ contentID: 1020, locale: EN }), undefined);
	assert.equal((await mock.requests()).at(-1).status, 401);
});

table.method("getContentItem: with its links", async () => {
	const article = await live.getContentItem({ contentID: 1020, locale: EN, contentLinkDepth: 1 });
	assert.equal(article.fields.writer.contentID, 1012);
	assert.equal(article.fields.writer.fields.name, "Emil Sand");
	assert.deepEqual(article.fields.topics.map((row) => row.contentID), [1000]);
	assert.deepEqual(article.fields.related.map((row) => row.contentID), [1024, 1022]);
	assert.deepEqual(article.fields.related[1].fields.writer, { contentid: 1012, fulllist: false });
});

table.method("getContentList", async () => {
	const all = await preview.getContentList({ referenceName: "Articles", locale: EN, take: 50 });
	assert.equal(all.totalCount, 12);
	assert.equal(all.items.length, 12);
	assert.deepEqual(await preview.getContentList({ referenceName: "articles", locale: EN }), { ...all, items: all.items.slice(0, 10) });
	const part = await preview.getContentList({ referenceName: "articles", locale: EN, take: 3, skip: 2 });
	assert.deepEqual(part.items, all.items.slice(2, 5));
	assert.equal((await live.getContentList({ referenceName: "articles", locale: EN })).totalCount, 11);
	assert.equal(await live.getContentList({ referenceName: "nothing", locale: EN }), undefined);
});

table.method("getContentList: order", async () => {
	const { items } = await live.getContentList({ referenceName: "articles", locale: EN, sort: "fields.publishDate", direction: "desc" });
	const dates = items.map((row) => row.fields.publishDate);
	assert.deepEqual(dates, [...dates].sort().reverse());
	assert.ok(dates[0] > dates.at(-1));
});

table.method("getContentList: filters", async () => {
	const filters = [{ property: "fields.featured", operator: "eq", value: "true" }];
	const all = await live.getContentList({ referenceName: "articles", locale: EN, take: 50 });
	const featured = all.items.filter((row) => row.fields.featured === "true");
	assert.ok(featured.length > 0 && featured.length < all.items.length);
	const found = await live.getContentList({ referenceName: "articles", locale: EN, take: 50, filters });
	assert.deepEqual(found, { items: featured, totalCount: featured.length });
});

const found = async (more) => {
	const list = await live.getContentList({ referenceName: "articles", locale: EN, take: 50, ...more });
	return list.items.map((row) => row.contentID);
};

table.method("getContentList: every operator", async () => {
	const { items } = await live.getContentList({ referenceName: "articles", locale: EN, take: 50 });
	const ids = (keep) => items.filter(keep).map((row) => row.contentID);
	const by = (property, operator, value) => found({ filters: [{ property, operator, value }] });
	const date = items[4].fields.publishDate;
	const order = [["lt", (a) => a < date], ["lte", (a) => a <= date], ["gt", (a) => a > date], ["gte", (a) => a >= date]];
	for (const [operator, holds] of [...order, ["eq", (a) => a === date], ["ne", (a) => a !== date]]) {
		assert.deepEqual(await by("fields.publishDate", operator, date), ids((row) => holds(row.fields.publishDate)), operator);
	}
	assert.deepEqual(await by("fields.headline", "like", "tram"), ids((row) => /tram/i.test(row.fields.headline)));
	assert.deepEqual(await by("fields.writerID", "in", "1012,1010"), ids((row) => ["1012", "1010"].includes(row.fields.writerID)));
	const several = items.find((row) => row.fields.topics_ValueField?.includes(","))?.fields.topics_ValueField.split(",")[1];
	assert.ok(several, "an article has several topics");
	const holds = ids((row) => row.fields.topics_ValueField.split(",").includes(several));
	assert.deepEqual(await by("fields.topics_ValueField", "contains", several), holds);
	assert.deepEqual(await by("fields.topics_ValueField", "contains", several.slice(0, 2)), [], "a part of a value is none of its values");
});

table.method("getContentList: filters together", async () => {
	const [one, other] = (await live.getContentList({ referenceName: "articles", locale: EN, take: 50 })).items;
	const filters = [one, other].map((row) => ({ property: "contentID", operator: "eq", value: row.contentID }));
	assert.deepEqual(await found({ filters }), []);
	assert.deepEqual(await found({ filters, filtersLogicOperator: "OR" }), [one.contentID, other.contentID]);
	const text = (row) => `fields.headline[eq]"${row.fields.headline}"`;
	assert.deepEqual(await found({ filterString: `${text(one)} or ${text(other)}` }), [one.contentID, other.contentID]);
	assert.deepEqual(await found({ filterString: 'fields.headline[eq]"this and that" or contentID[eq]0' }), []);
});

// The vendor names the operator `range` in its client and nowhere says how its two ends are written; the mock answers 400.
table.left("getContentList: the operator range", "no description has the form of its value");

table.method("getContentList: with whole lists in the place of their links", async () => {
	const home = await live.getPage({ pageID: 20, locale: EN, contentLinkDepth: 0, expandAllContentLinks: false });
	const [, grid] = home.zones.MainContentZone;
	const item = (more) => live.getContentItem({ contentID: grid.item.contentid, locale: EN, ...more });
	const link = (await item()).fields.cards;
	assert.equal(link.fulllist, true, "a whole list is not followed unless it is asked for");
	const followed = await item({ expandAllContentLinks: true });
	assert.ok(followed.fields.cards.length > 0 && followed.fields.cards.every((card) => card.contentID > 0));
	assert.deepEqual((await item({ expandAllContentLinks: true, contentLinkDepth: 0 })).fields.cards, link);
	const { properties } = followed;
	const list = await live.getContentList({ referenceName: properties.referenceName, locale: EN, expandAllContentLinks: true });
	assert.deepEqual(list.items.find((row) => row.contentID === grid.item.contentid).fields, followed.fields);
});

table.method("getContentList: some fields (a parameter that the client does not send)", async () => {
	const key = await mock.key(SOURCE, "Fetch");
	const url = `${mock.origin}/${SOURCE}/fetch/${EN}/list/articles?fields=headline,publishDate&take=2`;
	const { items, totalCount } = await (await send(url, { headers: { APIKey: key } })).json();
	assert.equal(totalCount, 11);
	for (const row of items) assert.deepEqual(Object.keys(row.fields).sort(), ["headline", "publishDate"]);
});

table.method("getPage", async () => {
	const home = await live.getPage({ pageID: 20, locale: EN, contentLinkDepth: 0, expandAllContentLinks: false });
	has(home, "pageID", "name", "path", "title", "menuText", "pageType", "templateName", "visible", "seo", "scripts", "properties");
	assert.equal(home.path, "/home");
	assert.deepEqual(home.zones.HeroZone, [{ module: "Hero", item: { contentid: 1050, fulllist: false } }]);
	assert.equal(await live.getPage({ pageID: 987654, locale: EN }), undefined);
});

table.method("getPage: with its components", async () => {
	const home = await live.getPage({ pageID: 20, locale: EN });
	assert.equal(home.zones.HeroZone[0].item.contentID, 1050);
	const [, grid] = home.zones.MainContentZone;
	assert.ok(grid.item.fields.cards.length > 0);
	assert.ok(grid.item.fields.cards.every((card) => card.contentID > 0));
});

table.method("getPageByPath", async () => {
	const at = (pagePath, more) => live.getPageByPath({ pagePath, channelName: "website", locale: EN, ...more });
	const home = await at("/home");
	assert.deepEqual(home.page, await live.getPage({ pageID: 20, locale: EN }));
	const nodes = await live.getSitemapFlat({ channelName: "website", locale: EN });
	assert.deepEqual(home.sitemapNode, nodes["/home"]);
	const plain = await at("/home", { contentLinkDepth: 0, expandAllContentLinks: false });
	assert.deepEqual(plain.page.zones.HeroZone[0].item, { contentid: 1050, fulllist: false });
	assert.equal(await at("/nowhere"), undefined);
	assert.equal(await live.getPageByPath({ pagePath: "/home", channelName: "nothing", locale: EN }), undefined);
});

table.method("getPageByPath: of an item of a dynamic page", async () => {
	const nodes = await live.getSitemapFlat({ channelName: "website", locale: EN });
	const node = Object.values(nodes).find((one) => one.contentID === 1020);
	const found = await live.getPageByPath({ pagePath: node.path, channelName: "website", locale: EN });
	assert.deepEqual(found.sitemapNode, node);
	assert.deepEqual([found.page.pageID, found.page.dynamicItemContentID], [node.pageID, 1020]);
});

table.method("getSitemapFlat", async () => {
	const nodes = await live.getSitemapFlat({ channelName: "website", locale: EN });
	for (const [path, node] of Object.entries(nodes)) {
		has(node, "title", "name", "pageID", "menuText", "visible", "path", "redirect", "isFolder");
		assert.equal(node.path, path);
	}
	assert.equal(nodes["/home"].pageID, 20);
	const dynamic = Object.values(nodes).filter((node) => node.contentID);
	const { items } = await live.getContentList({ referenceName: "articles", locale: EN, take: 50 });
	for (const id of items.map((row) => row.contentID)) assert.ok(dynamic.some((node) => node.contentID === id), `${id}`);
	assert.equal(await live.getSitemapFlat({ channelName: "nothing", locale: EN }), undefined);
});

table.method("getSitemapNested", async () => {
	const tree = await live.getSitemapNested({ channelName: "website", locale: EN });
	const flat = await live.getSitemapFlat({ channelName: "website", locale: EN });
	const walk = (nodes) => nodes.flatMap((node) => [node, ...walk(node.children)]);
	const nodes = walk(tree);
	assert.deepEqual(nodes.map((node) => node.path), Object.keys(flat));
	for (const { children, ...node } of nodes) assert.deepEqual(node, flat[node.path]);
	assert.ok(nodes.some((node) => node.children.length > 0));
});

table.method("getGallery", async () => {
	const gallery = await live.getGallery({ galleryID: 3 });
	has(gallery, "galleryID", "name", "description", "count", "media");
	assert.deepEqual([gallery.name, gallery.count, gallery.media.length], ["Harbour at dawn", 4, 4]);
	const { assets } = await mock.state(SOURCE);
	const members = assets.filter((row) => row.mediaGroupingID === 3).map((row) => row.mediaID);
	assert.deepEqual(gallery.media.map((file) => file.mediaID).sort(), members.sort());
	for (const file of gallery.media) {
		has(file, "mediaID", "fileName", "url", "size", "modifiedOn", "metaData");
		has(file.metaData, "Title", "Description", "LinkUrl", "pixelHeight", "pixelWidth");
		assert.equal((await send(file.url)).status, 200);
	}
	assert.equal(await live.getGallery({ galleryID: 987654 }), undefined);
});

/** Reads a feed from a token to its end: the last token, and the rows. */
async function drain(read, syncToken) {
	const rows = [];
	for (;;) {
		const answer = await read({ locale: EN, pageSize: 7, syncToken });
		rows.push(...answer.items);
		assert.ok(answer.items.length <= 7);
		assert.ok(!answer.busy);
		if (!(answer.syncToken > syncToken)) {
			assert.deepEqual(answer.items, []);
			return [syncToken, rows];
		}
		syncToken = answer.syncToken;
	}
}

table.method("getSyncContent", async () => {
	const { content } = await mock.state(SOURCE);
	const published = content.filter((row) => row.locale === EN && row.properties.state === 2).map((row) => row.contentID);
	const read = (request) => live.getSyncContent(request);
	const [token, rows] = await drain(read, 0);
	assert.deepEqual(rows.map((row) => row.contentID).sort(), published.sort());
	const [, none] = await drain(read, token);
	assert.deepEqual(none, []);

	const topic = await manage.contentMethods.getContentItem(1000, SOURCE, EN);
	await manage.contentMethods.saveContentItem({ ...topic, fields: { ...topic.fields, label: "Traffic" } }, SOURCE, EN);
	assert.deepEqual((await drain(read, token))[1], [], "a staged change is not live");
	await manage.contentMethods.publishContent(1000, SOURCE, EN);
	await manage.contentMethods.deleteContent(1001, SOURCE, EN);
	const [, changed] = await drain(read, token);
	assert.deepEqual(changed.map((row) => [row.contentID, row.properties.state]), [[1000, 2], [1001, 3]]);
	assert.equal(changed[0].fields.label, "Traffic");
});

table.method("getSyncPages", async () => {
	const read = (request) => preview.getSyncPages(request);
	const { pages } = await mock.state(SOURCE);
	const [token, rows] = await drain(read, 0);
	assert.deepEqual(rows.map((row) => row.pageID).sort(), pages.filter((row) => row.locale === EN).map((row) => row.pageID).sort());
	const home = await manage.pageMethods.getPage(20, SOURCE, EN);
	await manage.pageMethods.savePage({ ...home, title: "Start" }, SOURCE, EN);
	const [, changed] = await drain(read, token);
	assert.deepEqual(changed.map((row) => [row.pageID, row.title]), [[20, "Start"]]);
});

table.method("getUrlRedirections", async () => {
	const first = await live.getUrlRedirections({});
	assert.equal(first.isUpToDate, false);
	assert.equal(first.items.length, 8);
	has(first.items[0], "id", "originUrl", "destinationUrl", "statusCode", "destinationLocale", "originLocales", "content");
	const again = await live.getUrlRedirections({ lastAccessDate: first.lastAccessDate });
	assert.deepEqual([again.isUpToDate, again.items], [true, []]);

	const row = { urlRedirectionID: 0, originUrl: "~/tram", destinationUrl: "~/news", httpCode: 302, originLocales: [] };
	const saved = await post(mock, SOURCE, "url-redirections", [row, { ...row, originUrl: "~/TRAM" }]);
	assert.deepEqual(saved.created.map((one) => one.index), [0]);
	assert.deepEqual(saved.skipped.map((one) => one.index), [1]);
	const changed = await live.getUrlRedirections({ lastAccessDate: first.lastAccessDate });
	assert.equal(changed.isUpToDate, false);
	assert.deepEqual(changed.items.filter((one) => one.originUrl === "~/tram").map((one) => [one.id, one.statusCode]), [[saved.created[0].urlRedirectionID, 302]]);
	assert.equal(changed.items.length, 9);
});

const HELPERS = ["constructor", "makeRequest"];
const { prototype } = fetchSdk.getApi({ guid: SOURCE, apiKey: "any" }).constructor;
table.complete(Object.getOwnPropertyNames(prototype).filter((name) => !HELPERS.includes(name)));
table.described(() => mock.judged);
