// Whole runs of our own client: each request and each answer is held against the vendor's API descriptions, and every endpoint
// that the program can call is called.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import management from "@agility/management-sdk";

import { BINARY, JUDGE_REQUESTS, post, SOURCE, start, TARGET, TOKEN } from "./mock.js";

const EN = "en-us";

/** What `src/agility` asks for. A path that its sources name and this list lacks fails the last test. */
const CALLED = [
	"GET /oauth/getpreviewkey", "GET /oauth/getfetchkey", "GET /api/v1/users/me",
	"GET locales", "GET fetch-api-status",
	"GET model/list/{includeDefaults}", "GET model/list-page-modules/{includeDefault}", "GET model/{id}", "GET model/{referenceName}",
	"POST model", "DELETE model/{id}",
	"GET container/list", "GET container/{id}", "GET container/{referenceName}", "POST container", "DELETE container/{id}",
	"GET {locale}/page/templates", "GET {locale}/page/template/{pageTemplateId}", "GET {locale}/page/template/{templateName}",
	"POST {locale}/page/template", "DELETE {locale}/page/template/{pageTemplateId}",
	"GET asset/galleries", "GET asset/gallery", "GET asset/gallery/{id}", "POST asset/gallery", "DELETE asset/gallery/{id}",
	"GET asset/container", "GET asset/list", "GET asset/{id}", "POST asset/upload", "POST asset/move/{mediaID}",
	"POST asset/folder/delete", "DELETE asset/delete/{mediaID}",
	"GET {locale}/item/{contentID}", "GET {locale}/items", "POST {locale}/list/{referenceName}", "POST {locale}/item/multi",
	"POST {locale}/item/batch-workflow", "DELETE {locale}/item/{id}",
	"GET {locale}/sitemap", "GET {locale}/page/{id}", "POST {locale}/page", "POST {locale}/page/batch-workflow", "DELETE {locale}/page/{id}",
	"GET batch/{id}", "POST url-redirections", "DELETE url-redirections",
	"GET webhook/list", "GET webhook/{key}", "POST webhook", "DELETE webhook/{key}",
	"GET fetch: {locale}/sync/items", "GET fetch: {locale}/sync/pages", "GET fetch: urlredirection",
	"GET fetch: {locale}/item/{id}", "GET fetch: {locale}/page/{id}",
];

let mock;
let api;
let folder;
const results = [];

before(async () => {
	mock = await start(JUDGE_REQUESTS, "--folder-rows");
	folder = await mkdtemp(join(tmpdir(), "lockgate-contract-"));
	// It changes the source behind the judge's back.
	api = new management.ApiClient({ token: TOKEN, baseUrl: mock.direct, duration: 20, retryCount: 1000 });
});
after(async () => {
	await mock?.stop();
	await rm(folder, { recursive: true });
	print();
});

const BETWEEN = () => ["--source", SOURCE, "--target", TARGET, "--source-url", mock.origin, "--target-url", mock.origin];

/** Runs the program to its end; gives what it wrote. */
async function lockgate(args, codes = [0]) {
	const child = spawn(BINARY, args, { cwd: folder, env: { PATH: process.env.PATH, HOME: folder, LOCKGATE_TOKEN: TOKEN } });
	const said = [];
	for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => said.push(part));
	const [code] = await once(child, "close");
	const text = Buffer.concat(said).toString("utf8");
	assert.ok(codes.includes(code), `${args[0]} ended with ${code}: ${text.slice(-1500)}`);
	return text;
}

const fault = (...faults) => fetch(`${mock.direct}/_mock/faults`, { method: "PUT", body: JSON.stringify(faults) });

/** A command as a test, with its result for the table. */
function command(name, check) {
	test(name, async () => {
		try {
			await check();
			results.push([name, "ok"]);
		} catch (error) {
			results.push([name, `failed: ${error.message.replaceAll(/\s+/g, " ").slice(0, 300)}`]);
			throw error;
		}
	});
}

command("doctor", () => lockgate(["doctor", ...BETWEEN()]));

command("probe", () => lockgate(["probe", "--target", TARGET, "--target-url", mock.origin, "--yes"]));

command("sync, with doubtful answers to the first saves", async () => {
	await api.webhookMethods.saveWebhook(TARGET, { name: "build", url: "https://example.test/", enabled: true });
	const saves = ["/model", "/container", "/page/template", "/asset/gallery"];
	await fault(...saves.map((path) => `status-after=500,method=POST,path=${path},count=1`));
	await lockgate(["sync", ...BETWEEN(), "--publish", "--pause-webhooks", "--yes"]);
	const [source, target] = [await mock.state(SOURCE), await mock.state(TARGET)];
	const count = (instance, kind) => instance[kind].filter((row) => !row.isFolder).length;
	for (const kind of ["models", "containers", "templates", "galleries", "assets", "content", "pages", "redirections"]) {
		assert.equal(count(target, kind), count(source, kind), kind);
	}
});

command("verify", () => lockgate(["verify", ...BETWEEN()]));

command("sync, of what has changed", async () => {
	const topic = await api.contentMethods.getContentItem(1000, SOURCE, EN);
	await api.contentMethods.saveContentItem({ ...topic, fields: { ...topic.fields, Label: "Traffic" } }, SOURCE, EN);
	await api.contentMethods.publishContent(1000, SOURCE, EN);
	const { assetMedias } = await api.assetMethods.getMediaList(250, 0, SOURCE);
	await api.assetMethods.moveFile(assetMedias.find((row) => !row.isFolder).mediaID, "moved", SOURCE);
	const before = await mock.state(TARGET);
	// What both sides have changed, and the target has not published.
	const home = await api.pageMethods.getPage(20, SOURCE, EN);
	const there = before.pages.find((row) => row.locale === EN && row.name === home.name);
	await api.pageMethods.savePage({ ...home, title: "Start" }, SOURCE, EN);
	await api.pageMethods.publishPage(20, SOURCE, EN);
	// The client has no parameter for pages that keep their components.
	const begin = { ...(await api.pageMethods.getPage(there.pageID, TARGET, EN)), title: "Begin" };
	const batch = await post({ origin: mock.direct }, TARGET, `${EN}/page?linkExistingComponents=true`, begin);
	await api.batchMethods.Retry(() => api.batchMethods.getBatch(batch, TARGET));
	const twin = before.content.find((row) => row.locale === EN && row.properties.referenceName === "topics" && row.fields.Label === topic.fields.Label);
	await api.contentMethods.saveContentItem({ ...twin, fields: { ...twin.fields, Label: "Roads" } }, TARGET, EN);
	await lockgate(["sync", ...BETWEEN(), "--publish", "--overwrite", "--yes"]);
	const { content, pages } = await mock.state(TARGET);
	assert.equal(content.find((row) => row.locale === EN && row.contentID === twin.contentID).fields.Label, "Traffic");
	assert.equal(pages.find((row) => row.locale === EN && row.pageID === there.pageID).title, "Start");
});

command("pull", () => lockgate(["pull", "--source", SOURCE, "--source-url", mock.origin, "--dir", join(folder, "files")]));

command("undo", async () => {
	const lines = (await lockgate(["runs"])).split("\n").filter((line) => /\bsync\b/.test(line));
	const runs = lines.map((line) => line.match(/\d{8}-\d{6}-[0-9a-f]{4}/)[0]);
	assert.equal(runs.length, 2);
	for (const run of runs) await lockgate(["undo", run, "--yes", "--changed-too", "--source-url", mock.origin, "--target-url", mock.origin]);
	const { models, containers, content, pages, assets, redirections } = await mock.state(TARGET);
	const left = { models, containers, content, pages, redirections, assets: assets.filter((row) => !row.isFolder) };
	for (const [kind, rows] of Object.entries(left)) assert.deepEqual(rows, [], kind);
});

test("every request and every answer is as the vendor describes them", () => {
	const odd = [...mock.judged.seen].filter(([, row]) => row.wrong.size > 0);
	assert.deepEqual(Object.fromEntries(odd.map(([name, row]) => [name, [...row.wrong]])), {});
});

test("every endpoint that the program calls was called, and no other", () => {
	assert.deepEqual(CALLED.filter((name) => !mock.judged.seen.has(name)), [], "not called");
	assert.deepEqual([...mock.judged.seen.keys()].filter((name) => !CALLED.includes(name)), [], "not listed");
});

/** The text of the sources of a folder, without their tests. */
async function sources(place) {
	const texts = await Promise.all((await readdir(place, { withFileTypes: true })).map(async (entry) => {
		if (entry.isDirectory()) return sources(join(place, entry.name));
		if (!entry.name.endsWith(".rs") || entry.name === "tests.rs") return "";
		return (await readFile(join(place, entry.name), "utf8")).split("#[cfg(test)]\nmod tests {")[0].replaceAll(/^\s*\/\/.*$/gm, "");
	}));
	return texts.join("\n");
}

test("every path that stands in the sources is in the list", async () => {
	const text = await sources(fileURLToPath(new URL("../../src/agility", import.meta.url)));
	const shape = (path) => path.replaceAll(/\{[^}]*\}/g, "{}").toLowerCase();
	const known = new Set(CALLED.map((name) => shape(name.split(" ").at(-1)).replace(/^\/(oauth|api\/v1)\//, "")));
	const heads = "model|container|asset|batch|locales|webhook|url-redirections|urlredirection|fetch-api-status|users|get\\w+key|\\{\\w*\\}/(?:page|item|items|list|sync|sitemap)";
	const literal = new RegExp(`"((?:${heads})(?:/[^"?]*)?)(?:\\?[^"]*)?"`, "gi");
	const paths = [...text.matchAll(literal)].map(([, path]) => shape(path)).filter((path) => path.includes("/") || known.has(path));
	assert.ok(paths.length > 30, `${paths.length} paths`);
	// A list that ends in true or false, and feeds and workflows that are written once for both kinds.
	const same = (path) => path.replace(/\/(true|false)$/, "/{}");
	const both = { "{}/sync/{}": "{}/sync/items", "{}/{}/batch-workflow": "{}/item/batch-workflow", "{}/{}/{}": "{}/item/{}" };
	assert.deepEqual([...new Set(paths.map(same).map((path) => both[path] ?? path))].filter((path) => !known.has(path)), []);
});

function print() {
	const { seen } = mock.judged;
	const rows = CALLED.map((name) => {
		const row = seen.get(name);
		const state = !row ? "not called" : row.wrong.size > 0 ? `failed: ${[...row.wrong][0]}` : `ok, ${row.calls} calls`;
		return [name, state];
	});
	const width = Math.max(...rows.map(([name]) => name.length));
	const lines = [...results, ...rows].map(([name, state]) => `  ${name.padEnd(width)}  ${state}`);
	const good = rows.filter(([, state]) => state.startsWith("ok")).length;
	console.log(`\nlockgate against the vendor's API descriptions\n${lines.join("\n")}`);
	console.log(`  ${good} of ${rows.length} endpoints that are called are described and as described (${Math.floor((100 * good) / rows.length)} %)\n`);
}
