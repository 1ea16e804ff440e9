// The Management SDK, in the order of a migration: what content needs is made first, what is deleted is deleted last.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before } from "node:test";

import management from "@agility/management-sdk";
import FormData from "form-data";

import { SOURCE, start, TARGET, TOKEN } from "./mock.js";
import { has, Table } from "./table.js";

const { version } = createRequire(import.meta.url)("@agility/management-sdk/package.json");
const table = new Table(`@agility/management-sdk ${version}`);
const EN = "en-us";
const FR = "fr-ca";

let mock;
const options = { token: TOKEN, baseUrl: null, refresh_token: null, duration: 20, retryCount: 1000 };
const api = new management.ApiClient(options);
const {
	assetMethods: assets,
	batchMethods: batches,
	containerMethods: containers,
	contentMethods: content,
	instanceMethods: instance,
	instanceUserMethods: users,
	modelMethods: models,
	pageMethods: pages,
	serverUserMethods: server,
	webhookMethods: webhooks,
} = api;

before(async () => {
	mock = await start();
	options.baseUrl = mock.origin;
});
after(() => mock?.stop());

/** That a call is refused with this HTTP status; gives the body of the answer. */
async function refused(call, status) {
	let body;
	await assert.rejects(call, (error) => {
		assert.equal(error.innerError?.response?.status, status, error.message);
		body = error.innerError.response.data;
		return true;
	});
	return body;
}

/** A batch after it has been processed. */
async function processed(id) {
	return batches.Retry(() => batches.getBatch(id, TARGET));
}

const field = (name, type, settings = {}, itemOrder = 0) => ({
	name, label: name, type, settings, itemOrder, labelHelpDescription: null, designerOnly: false, isDataField: true,
	editable: true, hiddenField: false, fieldID: null, description: null,
});
const model = (referenceName, type, fields = []) => ({
	id: 0, displayName: referenceName, referenceName, contentDefinitionTypeID: type, description: "", allowTagging: false, fields,
});
const item = (referenceName, fields, contentID = -1) => ({
	contentID, properties: { referenceName, definitionName: "Note", itemOrder: 0, state: 1 }, fields,
	seo: { metaDescription: null, metaKeywords: null, metaHTML: null, menuVisible: null, sitemapVisible: null },
	scripts: { top: null, bottom: null },
});
const page = (name, more = {}) => ({
	pageID: -1, name, title: name, menuText: name, pageType: "static", templateName: "Wide", redirectUrl: "", securePage: false,
	excludeFromOutputCache: false, visible: { menu: true, sitemap: true }, seo: null, scripts: null, dynamic: null,
	properties: { state: 1 }, zones: {}, parentPageID: -1, placeBeforePageItemID: -1, channelID: 1, ...more,
});

// What is made on the way.
const made = {};

// Users, instances and locales.

table.method("serverUserMethods.me", async () => {
	const me = await server.me(TARGET);
	has(me, "userID", "userName", "emailAddress", "websiteAccess");
	assert.deepEqual(me.websiteAccess.map((site) => site.guid).sort(), [SOURCE, TARGET]);
	has(me.websiteAccess[0], "websiteName", "displayName", "isOwner", "websiteID");
});

table.method("instanceUserMethods.getUsers", async () => {
	const [user] = await users.getUsers(TARGET);
	// The members of `WebsiteUser`; those of `InstanceUser`, which a save answers, differ.
	has(user, "userID", "userName", "emailAddress", "firstName", "lastName", "fullName", "isDeleted", "isTeamUser", "isSuspended");
	has(user, "isOrgAdmin", "teamID", "loginDate", "userRoles", "userPermissions");
	assert.ok(!("instanceRoles" in user) && !("instancePermissions" in user));
});

table.method("instanceMethods.getLocales", async () => {
	const locales = await instance.getLocales(TARGET);
	assert.deepEqual(locales.map((locale) => locale.localeCode), [EN, FR]);
	has(locales[0], "localeID", "localeName", "enabled", "sortOrder");
});

table.method("instanceMethods.getLocales: without a token", async () => {
	const stranger = new management.ApiClient({ ...options, token: "" });
	await refused(stranger.instanceMethods.getLocales(TARGET), 401);
});

// Models.

table.method("modelMethods.saveModel: as a stub, then with its fields", async () => {
	const stub = await models.saveModel(model("Note", 1), TARGET);
	assert.ok(stub.id > 0);
	assert.deepEqual(stub.fields, []);
	const whole = { ...stub, fields: [
		field("Title", "Text", { Required: "True" }),
		field("Next", "Content", { ContentDefinition: "Note", ContentView: "notes", SharedContent: "notes" }, 1),
		field("Picture", "ImageAttachment", {}, 2),
	] };
	made.note = await models.saveModel(whole, TARGET);
	assert.equal(made.note.id, stub.id);
	assert.deepEqual(made.note.fields.map((one) => one.name), ["Title", "Next", "Picture"]);
	has(made.note, "lastModifiedDate", "lastModifiedBy", "contentDefinitionTypeName", "displayName");
	made.panel = await models.saveModel(model("Panel", 2, [field("Title", "Text")]), TARGET);
});

table.method("modelMethods.saveModel: fields that are left out are removed", async () => {
	await models.saveModel({ ...made.note, fields: made.note.fields.slice(0, 2) }, TARGET);
	const saved = await models.getContentModel(made.note.id, TARGET);
	assert.deepEqual(saved.fields.map((one) => one.name), ["Title", "Next"]);
	made.note = await models.saveModel(made.note, TARGET);
});

table.method("modelMethods.saveModel: of a missing definition", async () => {
	const broken = model("Broken", 1, [field("Link", "Content", { ContentDefinition: "Nothing" })]);
	assert.match(JSON.stringify(await refused(models.saveModel(broken, TARGET), 404)), /ContentDefinition/);
});

table.method("modelMethods.saveModel: under the name of a model of another type", async () => {
	await refused(models.saveModel(model("note", 2), TARGET), 409);
});

table.method("modelMethods.getContentModel", async () => {
	const read = await models.getContentModel(made.note.id, TARGET);
	assert.deepEqual(read, made.note);
	assert.equal(read.fields[0].settings.Required, "True");
	await refused(models.getContentModel(987654, TARGET), 404);
});

table.method("modelMethods.getModelByReferenceName", async () => {
	assert.equal((await models.getModelByReferenceName("nOTE", TARGET)).id, made.note.id);
	await refused(models.getModelByReferenceName("Nothing", TARGET), 404);
});

const names = (rows) => rows.map((row) => row.referenceName);

table.method("modelMethods.getContentModules", async () => {
	assert.deepEqual(names(await models.getContentModules(false, TARGET)), ["Note"]);
	assert.deepEqual(names(await models.getContentModules(false, TARGET, true)).sort(), ["Note", "Panel"]);
	const all = names(await models.getContentModules(true, TARGET, true));
	for (const name of ["Note", "Panel", "AgilityCSS"]) assert.ok(all.includes(name), name);
});

table.method("modelMethods.getPageModules", async () => {
	assert.deepEqual(names(await models.getPageModules(false, TARGET)), ["Panel"]);
	const all = await models.getPageModules(true, TARGET);
	assert.equal(all.find((row) => row.referenceName === "RichTextArea")?.id, 1);
	assert.ok(names(all).includes("Panel"));
	assert.ok(!names(all).includes("AgilityCSS"), "a content model is not a page module");
});

// Containers.

const container = (referenceName, definition) => ({
	contentViewID: -1, referenceName, contentViewName: referenceName, contentDefinitionID: definition.id,
	contentDefinitionTypeID: definition.contentDefinitionTypeID === 0 ? 0 : 1, isShared: false, isListItem: false,
	isDynamicPageList: false, isPublished: true, isDeleted: false, columns: [],
});

table.method("containerMethods.saveContainer", async () => {
	made.notes = await containers.saveContainer(container("Notes", made.note), TARGET, true);
	assert.ok(made.notes.contentViewID > 0);
	assert.equal(made.notes.referenceName, "Notes");
	assert.equal(made.notes.contentDefinitionID, made.note.id);
	assert.match(made.notes.lastModifiedDate, /^\d\d\/\d\d\/\d{4} \d\d:\d\d[AP]M$/);
	made.panels = await containers.saveContainer(container("start_Panel", made.panel), TARGET, true);
	const changed = await containers.saveContainer({ ...made.notes, title: "All notes" }, TARGET, true);
	assert.equal(changed.contentViewID, made.notes.contentViewID);
	assert.equal((await containers.getContainerByID(made.notes.contentViewID, TARGET)).title, "All notes");
});

table.method("containerMethods.saveContainer: without force, a name in use is altered", async () => {
	const second = await containers.saveContainer(container("Notes", made.note), TARGET);
	assert.notEqual(second.contentViewID, made.notes.contentViewID);
	assert.notEqual(second.referenceName.toLowerCase(), "notes");
	made.spare = second;
});

table.method("containerMethods.getContainerByID", async () => {
	const read = await containers.getContainerByID(made.notes.contentViewID, TARGET);
	has(read, "contentViewID", "referenceName", "contentViewName", "contentDefinitionID", "contentDefinitionTypeID", "columns");
	await refused(containers.getContainerByID(987654, TARGET), 404);
});

table.method("containerMethods.getContainerByReferenceName", async () => {
	assert.equal((await containers.getContainerByReferenceName("NOTES", TARGET)).contentViewID, made.notes.contentViewID);
	assert.equal(await containers.getContainerByReferenceName("nothing", TARGET), null);
});

table.method("containerMethods.getContainersByModel", async () => {
	const found = await containers.getContainersByModel(made.note.id, TARGET);
	assert.deepEqual(names(found).sort(), ["Notes", made.spare.referenceName].sort());
});

table.method("containerMethods.getContainerList", async () => {
	const rows = names(await containers.getContainerList(TARGET));
	for (const name of ["Notes", "start_Panel"]) assert.ok(rows.includes(name), name);
	assert.equal((await containers.getContainerList(SOURCE)).filter((row) => row.referenceName === "articles").length, 1);
});

table.method("containerMethods.getContainerSecurity", async () => {
	assert.equal((await containers.getContainerSecurity(made.notes.contentViewID, TARGET)).referenceName, "Notes");
});

table.method("containerMethods.getNotificationList", async () => {
	assert.deepEqual(await containers.getNotificationList(made.notes.contentViewID, TARGET), []);
});

table.method("containerMethods.deleteContainer", async () => {
	assert.equal(typeof (await containers.deleteContainer(made.spare.contentViewID, TARGET)), "string");
	assert.equal(await containers.getContainerByReferenceName(made.spare.referenceName, TARGET), null);
	await refused(containers.deleteContainer(made.spare.contentViewID, TARGET), 404);
});

// Galleries and assets.

table.method("assetMethods.saveGallery", async () => {
	const row = { mediaGroupingID: 0, groupingTypeID: 1, name: "Harbour", description: "Boats", isDeleted: false, isFolder: false };
	made.gallery = await assets.saveGallery(TARGET, row);
	assert.ok(made.gallery.mediaGroupingID > 0);
	has(made.gallery, "groupingTypeID", "modifiedOn", "isDeleted", "isFolder", "metaData");
	const changed = await assets.saveGallery(TARGET, { ...made.gallery, description: "Ships" });
	assert.equal(changed.mediaGroupingID, made.gallery.mediaGroupingID);
});

table.method("assetMethods.getGalleryById", async () => {
	const read = await assets.getGalleryById(TARGET, made.gallery.mediaGroupingID);
	assert.equal(read.description, "Ships");
	await refused(assets.getGalleryById(TARGET, 987654), 404);
});

table.method("assetMethods.getGalleryByName", async () => {
	assert.equal((await assets.getGalleryByName(TARGET, "Harbour")).mediaGroupingID, made.gallery.mediaGroupingID);
});

table.method("assetMethods.getGalleries", async () => {
	const all = await assets.getGalleries(SOURCE);
	assert.equal(all.totalCount, 3);
	assert.equal(all.assetMediaGroupings.length, 3);
	const second = await assets.getGalleries(SOURCE, null, 1, 1);
	assert.deepEqual(second.assetMediaGroupings, [all.assetMediaGroupings[1]]);
	const [found] = (await assets.getGalleries(SOURCE, "harbour")).assetMediaGroupings;
	assert.equal(found.name, "Harbour at dawn");
});

table.method("assetMethods.getDefaultContainer", async () => {
	has(await assets.getDefaultContainer(TARGET), "containerID", "isDefault", "containerName", "originUrl", "edgeUrl");
});

const bytes = (text) => Buffer.from(text);
const form = (...files) => {
	const data = new FormData();
	for (const [filename, body, contentType] of files) data.append("files", body, { filename, contentType });
	return data;
};
const download = async (url) => Buffer.from(await (await fetch(url)).arrayBuffer());

table.method("assetMethods.upload", async () => {
	const files = form(["ferry.svg", bytes("<svg/>"), "image/svg+xml"], ["tides.txt", bytes("high at six"), "text/plain"]);
	const rows = await assets.upload(files, "img/harbour", TARGET, made.gallery.mediaGroupingID);
	assert.deepEqual(rows.map((row) => row.originKey), ["img/harbour/ferry.svg", "img/harbour/tides.txt"]);
	[made.ferry, made.tides] = rows;
	assert.equal(made.ferry.mediaGroupingID, made.gallery.mediaGroupingID);
	assert.equal(made.tides.size, 11);
	has(made.ferry, "mediaID", "fileName", "containerID", "containerOriginUrl", "edgeUrl", "contentType", "isFolder", "dateModified");
	assert.deepEqual(await download(made.tides.originUrl), bytes("high at six"));
	assert.deepEqual(await download(made.tides.edgeUrl), bytes("high at six"));
});

table.method("assetMethods.upload: over a file, and into the root folder", async () => {
	const [again] = await assets.upload(form(["tides.txt", bytes("low at noon"), "text/plain"]), "img/harbour", TARGET);
	assert.deepEqual(await download(again.originUrl), bytes("low at noon"));
	made.tides = again;
	const [root] = await assets.upload(form(["robots.txt", bytes("*"), "text/plain"]), "/", TARGET);
	assert.equal(root.originKey, "robots.txt");
	assert.ok(root.mediaGroupingID <= 0);
	made.robots = root;
});

table.method("assetMethods.getMediaList", async () => {
	const all = await assets.getMediaList(250, 0, TARGET);
	const files = all.assetMedias.filter((row) => !row.isFolder).map((row) => row.originKey);
	assert.deepEqual(files.sort(), ["img/harbour/ferry.svg", "img/harbour/tides.txt", "robots.txt"]);
	assert.equal(all.totalCount, all.assetMedias.length);
	const rest = await assets.getMediaList(250, 1, TARGET);
	assert.deepEqual(rest.assetMedias, all.assetMedias.slice(1));
	assert.equal(rest.totalCount, all.totalCount);
});

table.method("assetMethods.getAssetByID", async () => {
	assert.equal((await assets.getAssetByID(made.ferry.mediaID, TARGET)).originKey, "img/harbour/ferry.svg");
	await refused(assets.getAssetByID(987654, TARGET), 404);
});

table.method("assetMethods.getAssetByUrl", async () => {
	assert.equal((await assets.getAssetByUrl(made.ferry.edgeUrl, TARGET)).mediaID, made.ferry.mediaID);
	assert.equal((await assets.getAssetByUrl(made.ferry.originUrl, TARGET)).mediaID, made.ferry.mediaID);
});

table.method("assetMethods.createFolder", async () => {
	const folder = await assets.createFolder("docs", TARGET);
	assert.equal(folder.isFolder, true);
	assert.equal(folder.originKey, "docs");
});

table.method("assetMethods.moveFile", async () => {
	const moved = await assets.moveFile(made.robots.mediaID, "docs", TARGET);
	assert.equal(moved.mediaID, made.robots.mediaID);
	assert.equal(moved.originKey, "docs/robots.txt");
	assert.deepEqual(await download(moved.originUrl), bytes("*"));
});

table.method("assetMethods.moveFile: onto another one", async () => {
	await refused(assets.moveFile(987654, "docs", TARGET), 404);
	const [twin] = await assets.upload(form(["robots.txt", bytes("2"), "text/plain"]), "/", TARGET);
	await refused(assets.moveFile(twin.mediaID, "docs", TARGET), 400);
	await assets.deleteFile(twin.mediaID, TARGET);
});

table.method("assetMethods.deleteFile", async () => {
	assert.equal(typeof (await assets.deleteFile(made.robots.mediaID, TARGET)), "string");
	await refused(assets.getAssetByID(made.robots.mediaID, TARGET), 404);
});

const keys = async () => (await assets.getMediaList(250, 0, TARGET)).assetMedias.map((row) => row.originKey).sort();

table.method("assetMethods.renameFolder: with what is in it", async () => {
	const [map] = await assets.upload(form(["map.txt", bytes("here"), "text/plain"]), "docs", TARGET);
	await assets.renameFolder("docs", "papers", TARGET);
	const moved = await assets.getAssetByID(map.mediaID, TARGET);
	assert.deepEqual([moved.originKey, moved.fileName], ["papers/map.txt", "map.txt"]);
	assert.deepEqual(await download(moved.originUrl), bytes("here"));
	assert.equal((await fetch(map.originUrl)).status, 404);
	assert.deepEqual((await keys()).filter((key) => /^(docs|papers)/.test(key)), ["papers", "papers/map.txt"]);
	await refused(assets.renameFolder("docs", "papers", TARGET), 404);
	await refused(assets.renameFolder("papers", "img", TARGET), 400);
});

table.method("assetMethods.deleteFolder: with what is in it", async () => {
	await assets.deleteFolder("papers", TARGET);
	assert.deepEqual((await keys()).filter((key) => key.startsWith("papers")), []);
	assert.ok((await keys()).includes("img/harbour/ferry.svg"));
	await refused(assets.deleteFolder("papers", TARGET), 404);
});

table.method("assetMethods.deleteGallery", async () => {
	await assets.deleteGallery(TARGET, made.gallery.mediaGroupingID);
	await refused(assets.getGalleryById(TARGET, made.gallery.mediaGroupingID), 404);
	assert.ok((await assets.getAssetByID(made.ferry.mediaID, TARGET)).mediaGroupingID <= 0);
});

// Templates.

table.method("pageMethods.savePageTemplate", async () => {
	const zone = (name, itemOrder) => ({
		pageItemTemplateID: -1, pageTemplateID: -1, pageItemTemplateName: name, pageItemTemplateReferenceName: name, contentViewID: -1,
		pageItemTemplateType: 0, itemOrder, defaultModules: [], sharedModules: [],
	});
	made.template = await pages.savePageTemplate(TARGET, EN, {
		pageTemplateID: -1, pageTemplateName: "Wide", digitalChannelTypeID: 1, contentSectionDefinitions: [zone("Main", 0), zone("Side", 1)],
	});
	assert.ok(made.template.pageTemplateID > 0);
	assert.ok(made.template.contentSectionDefinitions.every((one) => one.pageItemTemplateID > 0));
	for (const zone of made.template.contentSectionDefinitions) {
		for (const date of ["releaseDate", "pullDate"]) assert.match(zone[date], /^\d{4}-\d\d-\d\dT/, date);
	}
	const [main, side] = made.template.contentSectionDefinitions;
	const dated = [{ ...main, releaseDate: "2026-03-01T08:00:00" }, side];
	made.template = await pages.savePageTemplate(TARGET, EN, { ...made.template, contentSectionDefinitions: dated });
	assert.equal(made.template.contentSectionDefinitions[0].releaseDate, "2026-03-01T08:00:00");
	assert.equal(made.template.contentSectionDefinitions[0].pageItemTemplateID, main.pageItemTemplateID);
});

table.method("pageMethods.getPageTemplates", async () => {
	const [row] = await pages.getPageTemplates(TARGET, EN, true);
	has(row, "pageTemplateID", "pageTemplateName", "digitalChannelTypeID", "doesPageTemplateHavePages", "isDeleted");
	assert.deepEqual(row.contentSectionDefinitions.map((one) => one.pageItemTemplateReferenceName), ["Main", "Side"]);
	assert.equal((await pages.getPageTemplates(SOURCE, EN, true)).length, 3);
	assert.equal((await pages.getPageTemplates(SOURCE, EN, true, "Landing")).length, 1);
});

table.method("pageMethods.getPageTemplate", async () => {
	assert.equal((await pages.getPageTemplate(TARGET, EN, made.template.pageTemplateID)).pageTemplateName, "Wide");
});

table.method("pageMethods.getPageTemplateName", async () => {
	assert.equal((await pages.getPageTemplateName(TARGET, EN, "Wide")).pageTemplateID, made.template.pageTemplateID);
	await refused(pages.getPageTemplateName(TARGET, EN, "Narrow"), 404);
});

table.method("pageMethods.getPageItemTemplates", async () => {
	const zones = await pages.getPageItemTemplates(TARGET, EN, made.template.pageTemplateID);
	assert.deepEqual(zones.map((one) => one.pageItemTemplateReferenceName), ["Main", "Side"]);
	assert.deepEqual(zones[0].defaultModules, []);
});

table.method("pageMethods.deletePageTemplate", async () => {
	const spare = await pages.savePageTemplate(TARGET, EN, { pageTemplateID: -1, pageTemplateName: "Spare", digitalChannelTypeID: 1, contentSectionDefinitions: [] });
	await pages.deletePageTemplate(TARGET, EN, spare.pageTemplateID);
	await refused(pages.getPageTemplate(TARGET, EN, spare.pageTemplateID), 404);
});

// Content.

table.method("contentMethods.saveContentItem", async () => {
	[made.first] = await content.saveContentItem(item("Notes", { title: "First", picture: { url: made.ferry.edgeUrl, label: "Ferry" } }), TARGET, EN);
	assert.ok(made.first > 0);
	const again = await content.saveContentItem(item("Notes", { title: "First again" }, made.first), TARGET, EN);
	assert.deepEqual(again, [made.first]);
	assert.equal(value(await content.getContentItem(made.first, TARGET, EN), "title"), "First again");
});

/** A field in whatever case the server gives its name. */
const value = (row, name) => Object.entries(row.fields).find(([key]) => key.toLowerCase() === name)?.[1];

table.method("contentMethods.saveContentItem: in a second locale", async () => {
	assert.deepEqual(await content.saveContentItem(item("Notes", { title: "Premier" }, made.first), TARGET, FR), [made.first]);
	assert.equal(value(await content.getContentItem(made.first, TARGET, FR), "title"), "Premier");
	assert.equal(value(await content.getContentItem(made.first, TARGET, EN), "title"), "First again");
});

table.method("contentMethods.saveContentItems", async () => {
	const rows = [item("notes", { title: "Second" }), item("Notes", { title: "Third", next: String(made.first) })];
	[made.second, made.third] = await content.saveContentItems(rows, TARGET, EN);
	assert.equal(value(await content.getContentItem(made.second, TARGET, EN), "title"), "Second");
	assert.equal(value(await content.getContentItem(made.third, TARGET, EN), "title"), "Third");
	[made.panelItem] = await content.saveContentItem(item("start_Panel", { title: "Welcome" }), TARGET, EN);
});

table.method("contentMethods.saveContentItems: one of two refused", async () => {
	const rows = [item("Notes", { title: "Fourth" }), item("no_such_list", { title: "Fifth" })];
	const [id] = await content.saveContentItems(rows, TARGET, EN, true);
	const batch = await processed(id);
	const [good, bad] = batch.items;
	assert.ok(good.itemID > 0 && !good.itemNull && !good.errorMessage);
	assert.ok(bad.itemID <= 0 && bad.itemNull && bad.errorMessage);
	made.fourth = good.itemID;
});

table.method("contentMethods.saveContentItems: none", async () => {
	assert.deepEqual(await content.saveContentItems([], TARGET, EN), []);
});

table.method("contentMethods.getContentItem", async () => {
	const read = await content.getContentItem(made.first, TARGET, EN);
	has(read, "contentID", "properties", "fields", "seo", "scripts");
	has(read.properties, "state", "modified", "modifiedBy", "versionID", "referenceName", "definitionName", "itemOrder");
	assert.equal(read.properties.state, 1);
	assert.equal(read.properties.referenceName.toLowerCase(), "notes");
	await refused(content.getContentItem(987654, TARGET, EN), 404);
});

const listing = (more) => ({ filter: null, fields: null, sortDirection: null, sortField: null, showDeleted: false, take: 50, skip: 0, ...more });

table.method("contentMethods.getContentList", async () => {
	const all = await content.getContentList("articles", SOURCE, EN, listing());
	assert.equal(all.totalCount, 12);
	assert.equal(all.items.length, 12);
	assert.equal(all.recordOffset, 0);
	assert.ok(all.items.every((row) => row.contentID > 0));
	const part = await content.getContentList("articles", SOURCE, EN, listing({ take: 3, skip: 2 }), {});
	assert.deepEqual(part.items, all.items.slice(2, 5));
	assert.equal(part.totalCount, 12);
});

table.method("contentMethods.getContentList: an explicit null in the filter", async () => {
	await refused(content.getContentList("articles", SOURCE, EN, listing(), { genericSearch: null }), 400);
});

table.method("contentMethods.getContentItems", async () => {
	const { items, totalCount } = await content.getContentItems("articles", SOURCE, EN, listing({ take: 5 }));
	assert.equal(items.length, 5);
	assert.equal(totalCount, 12);
});

table.method("contentMethods.getContentHistory", async () => {
	const { items, totalCount } = await content.getContentHistory(EN, TARGET, made.first);
	assert.equal(totalCount, 2);
	assert.equal(items[0].VersionNumber, 2);
	has(items[0], "ContentItemID", "StateID", "State", "CreatedDate", "CreatedBy", "Comment", "Pinned", "ReleaseDate", "PullDate");
});

table.method("contentMethods.getContentHistory: take and skip", async () => {
	const { items, totalCount } = await content.getContentHistory(EN, TARGET, made.first, 1, 1);
	assert.deepEqual(items.map((row) => row.VersionNumber), [1]);
	assert.equal(totalCount, 2);
});

table.method("contentMethods.getContentComments", async () => {
	assert.deepEqual(await content.getContentComments(EN, TARGET, made.first), { items: [], totalCount: 0 });
});

const contentState = async (id) => (await content.getContentItem(id, TARGET, EN)).properties.state;

for (const [method, state] of [["publishContent", 2], ["unPublishContent", 7], ["contentRequestApproval", 5], ["approveContent", 4], ["declineContent", 6]]) {
	table.method(`contentMethods.${method}`, async () => {
		assert.deepEqual(await content[method](made.second, TARGET, EN), [made.second]);
		assert.equal(await contentState(made.second), state);
	});
}

// Pages.

table.method("pageMethods.savePage", async () => {
	const zones = { Main: [{ module: "Panel", item: { contentid: made.panelItem, fulllist: false } }] };
	[made.home] = await pages.savePage(page("home", { zones }), TARGET, EN);
	[made.about] = await pages.savePage(page("about"), TARGET, EN);
	[made.news] = await pages.savePage(page("news"), TARGET, EN, -1, made.about);
	[made.team] = await pages.savePage(page("team"), TARGET, EN, made.about);
	for (const id of [made.home, made.about, made.news, made.team]) assert.ok(id > 0);
	const changed = { ...(await pages.getPage(made.about, TARGET, EN)), title: "About us" };
	assert.deepEqual(await pages.savePage(changed, TARGET, EN), [made.about]);
});

table.method("pageMethods.savePage: in a second locale", async () => {
	const [id] = await pages.savePage(page("accueil"), TARGET, FR, -1, -1, false, made.home, EN);
	assert.equal(id, made.home);
	assert.equal((await pages.getPage(made.home, TARGET, FR)).name, "accueil");
	assert.equal((await pages.getPage(made.home, TARGET, EN)).name, "home");
});

table.method("pageMethods.savePage: without a title", async () => {
	await refused(pages.savePage(page("untitled", { title: null }), TARGET, EN), 400);
});

table.method("pageMethods.getPage", async () => {
	const read = await pages.getPage(made.home, TARGET, EN);
	has(read, "pageID", "name", "title", "menuText", "pageType", "templateName", "visible", "properties", "zones", "channelID");
	assert.equal(read.templateName, "Wide");
	assert.equal(read.zones.Main[0].module, "Panel");
	assert.ok(read.zones.Main[0].item.contentId > 0);
	assert.equal((await pages.getPage(made.about, TARGET, EN)).title, "About us");
	await refused(pages.getPage(987654, TARGET, EN), 404);
});

table.method("pageMethods.getSitemap", async () => {
	const [channel] = await pages.getSitemap(TARGET, EN);
	has(channel, "digitalChannelID", "name", "digitalChannelTypeName", "isDefaultChannel", "pages");
	assert.deepEqual(channel.pages.map((row) => row.pageID), [made.home, made.news, made.about]);
	const about = channel.pages[2];
	has(about, "pageID", "parentPageID", "pageName", "title", "pageType", "languageCode", "childPages");
	assert.deepEqual(about.childPages.map((row) => [row.pageID, row.parentPageID]), [[made.team, made.about]]);
});

for (const [method, state] of [["publishPage", 2], ["unPublishPage", 7], ["pageRequestApproval", 5], ["approvePage", 4], ["declinePage", 6]]) {
	table.method(`pageMethods.${method}`, async () => {
		assert.deepEqual(await pages[method](made.news, TARGET, EN), [made.news]);
		assert.equal((await pages.getPage(made.news, TARGET, EN)).properties.state, state);
	});
}

table.left("pageMethods.getPageHistory", "the SDK calls the route of content items");
table.left("pageMethods.getPageComments", "the SDK calls the route of content items");

// Batches.

table.method("batchMethods.getBatch", async () => {
	const [id] = await content.publishContent(made.third, TARGET, EN, null, true);
	const batch = await processed(id);
	has(batch, "batchID", "batchState", "operationType", "percentComplete", "numItemsProcessed", "batchItemCount", "errorData", "abortYN");
	assert.deepEqual([batch.batchID, batch.batchState, batch.operationType], [id, 3, 1]);
	const [row] = batch.items;
	has(row, "batchItemID", "batchID", "itemType", "itemTypeName", "itemTitle", "itemNull", "errorMessage", "createdOn", "languageCode");
	assert.deepEqual([row.itemID, row.itemType, row.languageCode], [made.third, 2, EN]);
	assert.equal(row.processedItemVersionID, (await content.getContentItem(made.third, TARGET, EN)).properties.versionID);
	assert.ok(!(await batches.getBatch(id, TARGET, false)).items?.length);
	await refused(batches.getBatch(987654321, TARGET), 404);
	made.batch = id;
});

for (const [method, state] of [["publishBatch", 2], ["unpublishBatch", 7], ["requestApprovalBatch", 5], ["approveBatch", 4], ["declineBatch", 6]]) {
	table.method(`batchMethods.${method}`, async () => {
		assert.notEqual(await batches[method](made.batch, TARGET), made.batch);
		assert.equal(await contentState(made.third), state);
	});
}

table.method("batchMethods.getBatchTypes", async () => {
	const types = await batches.getBatchTypes(TARGET);
	const value = (list, name) => types[list].find((row) => row.name === name)?.value;
	assert.deepEqual(
		[value("itemTypes", "Page"), value("itemTypes", "ContentItem"), value("states", "Processed"), value("workflowOperations", "Publish")],
		[1, 2, 3, 1],
	);
	assert.deepEqual([value("operationTypes", "InsertContent"), value("operationTypes", "SavePage")], [14, 16]);
});

// What is deleted.

table.method("contentMethods.deleteContent", async () => {
	assert.deepEqual(await content.deleteContent(made.fourth, TARGET, EN), [made.fourth]);
	assert.equal(await contentState(made.fourth), 3);
	const { items } = await content.getContentList("notes", TARGET, EN, listing());
	assert.ok(!items.some((row) => row.contentID === made.fourth));
});

table.method("pageMethods.deletePage", async () => {
	assert.deepEqual(await pages.deletePage(made.news, TARGET, EN), [made.news]);
	const [channel] = await pages.getSitemap(TARGET, EN);
	assert.ok(!channel.pages.some((row) => row.pageID === made.news));
});

table.method("contentMethods.getContentList: deleted rows, and no others", async () => {
	const { items } = await content.getContentList("notes", TARGET, EN, listing({ showDeleted: true }));
	assert.deepEqual(items.map((row) => row.contentID), [made.fourth]);
});

table.method("modelMethods.deleteModel", async () => {
	const spare = await models.saveModel(model("Spare", 1), TARGET);
	assert.equal(typeof (await models.deleteModel(spare.id, TARGET)), "string");
	await refused(models.getContentModel(spare.id, TARGET), 404);
});

let hook;

table.method("webhookMethods.saveWebhook", async () => {
	hook = await webhooks.saveWebhook(TARGET, { name: "build", url: "https://example.test/", enabled: true, secureDeliveryEnabled: true });
	assert.ok(hook.rowKey);
	assert.match(hook.signingSecret, /^whsec_/);
	assert.equal(hook.signingSecretJustCreated, true);
});

table.method("webhookMethods.saveWebhook: the switch alone", async () => {
	const before = await webhooks.getWebhook(TARGET, hook.rowKey);
	const saved = await webhooks.saveWebhook(TARGET, { ...before, enabled: false, signingSecret: "whsec_other" });
	assert.equal(saved.rowKey, hook.rowKey);
	assert.equal(saved.enabled, false);
	assert.equal(saved.signingSecret, hook.signingSecret, "a value that is sent is ignored");
	assert.ok(!saved.signingSecretJustCreated);
});

table.method("webhookMethods.getWebhook", async () => {
	const found = await webhooks.getWebhook(TARGET, hook.rowKey);
	assert.equal(found.enabled, false);
	assert.equal(found.name, "build");
});

table.method("webhookMethods.webhookList", async () => {
	const { items, token } = await webhooks.webhookList(TARGET);
	assert.deepEqual(items.map((one) => one.rowKey), [hook.rowKey]);
	assert.equal(token, null);
});

table.method("webhookMethods.deleteWebhook", async () => {
	await webhooks.deleteWebhook(TARGET, hook.rowKey);
	await refused(webhooks.getWebhook(TARGET, hook.rowKey), 404);
});

// Users and their rights belong to an instance and its people: a migration reads them at most (`getUsers`, `me`).
table.left("serverUserMethods.you", "users are not migrated");
table.left("instanceUserMethods.saveUser", "users are not migrated");
table.left("instanceUserMethods.deleteUser", "users are not migrated");

table.complete(
	Object.entries(api).flatMap(([group, methods]) =>
		Object.getOwnPropertyNames(Object.getPrototypeOf(methods))
			.filter((name) => group.endsWith("Methods") && !["constructor", "Retry", "delay"].includes(name))
			.map((name) => `${group}.${name}`),
	),
);
table.described(() => mock.judged);
