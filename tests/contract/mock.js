// Starts `lockgate mock serve` for a test file, and stops it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { judge } from "./judge.js";

const ROOT = new URL("../../", import.meta.url);

/** The instance of `fixtures/starter-site`, and an empty one with the same locales. */
export const SOURCE = "1a2b3c4d-u";
export const TARGET = "5e6f7a8b-u";
/** Has what clients send judged as well; for requests of our own, as the vendor's SDK sends `null` for what is not set. */
export const JUDGE_REQUESTS = "judge-requests";
export const TOKEN = "contract-test";

/** The program under test. */
export const BINARY = process.env.BINARY_UNDER_TEST ?? fileURLToPath(new URL("target/debug/lockgate", ROOT));

/**
 * A running mock: `origin` is the address for clients, behind which answers are held against the descriptions (`judged`), and
 * `direct` the one that it has itself; its state as in `fixtures/`, and `stop`. What is given are more options of its command.
 */
export async function start(...more) {
	assert.ok(existsSync(BINARY), `${BINARY} is missing: run cargo build, or set BINARY_UNDER_TEST`);
	const fixture = fileURLToPath(new URL("fixtures/starter-site/source.json", ROOT));
	const child = spawn(
		BINARY,
		["mock", "serve", "--listen", "127.0.0.1:0", "--token", TOKEN, "--state", fixture, "--instance", `${TARGET}:en-us,fr-ca`, ...more.filter((option) => option !== JUDGE_REQUESTS)],
		{ stdio: ["ignore", "pipe", "inherit"] },
	);
	process.once("exit", () => child.kill());
	const direct = await new Promise((resolve, reject) => {
		child.once("error", reject);
		child.once("exit", (code) => reject(new Error(`the mock ended with ${code} before it listened`)));
		createInterface({ input: child.stdout }).on("line", (line) => {
			const address = line.match(/^listening on (http:\S+)/);
			if (address) resolve(address[1]);
		});
	});
	const judged = await judge(direct, { requests: more.includes(JUDGE_REQUESTS) });
	const { origin } = judged;
	return {
		origin,
		direct,
		judged,
		async state(guid) {
			const answer = await fetch(`${origin}/_mock/state`);
			const { instances } = await answer.json();
			return instances.find((instance) => instance.guid === guid);
		},
		async requests() {
			return (await fetch(`${origin}/_mock/requests`)).json();
		},
		async key(guid, mode) {
			const answer = await fetch(`${origin}/oauth/Get${mode}Key?guid=${guid}`, { headers: { Authorization: `Bearer ${TOKEN}` } });
			assert.equal(answer.status, 200);
			return (await answer.text()).replaceAll('"', "");
		},
		async stop() {
			await judged.stop();
			child.removeAllListeners("exit");
			child.kill();
			await once(child, "exit");
		},
	};
}

/** A request of the Management API for which the vendor's client has no method. */
export async function ask(mock, method, guid, path, body) {
	const answer = await fetch(`${mock.origin}/api/v1/instance/${guid}/${path}`, {
		method,
		headers: { Authorization: `Bearer ${TOKEN}`, ...(body && { "Content-Type": "application/json" }) },
		body: body && JSON.stringify(body),
	});
	assert.equal(answer.status, 200, `${method} ${path}`);
	return answer.json();
}

export const post = (mock, guid, path, body) => ask(mock, "POST", guid, path, body);
