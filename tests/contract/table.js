// Runs the methods of one client as tests, and prints what came of each.

import assert from "node:assert/strict";
import { after, test } from "node:test";

/** The tests of one client. `title` is its package and version. */
export class Table {
	#rows = [];
	#described;

	constructor(title) {
		after(() => this.#print(title));
	}

	/** A method with assertions on the shape and the effect of its answer. `name` may end in `: what is special`. */
	method(name, check) {
		test(name, async () => {
			try {
				await check();
				this.#rows.push([name, "ok"]);
			} catch (error) {
				this.#rows.push([name, `failed: ${reason(error)}`]);
				throw error;
			}
		});
	}

	/** Behaviour that the mock does not have yet. Fails as soon as it has, so that the entry does not outlive the gap. */
	gap(name, why, check) {
		test(name, async () => {
			const works = await check().then(() => true, () => false);
			this.#rows.push([name, works ? "failed: it works, so it is not a gap" : `not yet: ${why}`]);
			assert.ok(!works, `${name} works, so it is not a gap`);
		});
	}

	/** A method that no test calls, and why. */
	left(name, why) {
		this.#rows.push([name, `not run: ${why}`]);
	}

	/** Fails for methods of the client (`group.method`) that have no row: a new version of a client has to be looked at. */
	complete(methods) {
		test("every method is run, or listed with a reason", () => {
			const listed = new Set(this.#rows.map(([name]) => name.split(":")[0]));
			assert.deepEqual(methods.filter((method) => !listed.has(method)), []);
		});
	}

	/** Fails for answers that are not as the vendor describes them. Call it behind all methods. */
	described(judged) {
		test("every answer is as described", () => {
			const odd = [...judged().seen].filter(([, row]) => row.wrong.size > 0);
			this.#described = [judged().seen.size - odd.length, judged().seen.size];
			assert.deepEqual(Object.fromEntries(odd.map(([name, row]) => [name, [...row.wrong]])), {});
		});
	}

	#print(title) {
		const width = Math.max(...this.#rows.map(([name]) => name.length));
		const lines = this.#rows.map(([name, result]) => `  ${name.padEnd(width)}  ${result}`);
		const count = (start) => this.#rows.filter(([, result]) => result.startsWith(start)).length;
		console.log(`\n${title}\n${lines.join("\n")}`);
		console.log(`  ${count("ok")} ok, ${count("failed")} failed, ${count("not yet")} not yet, ${count("not run")} not run`);
		const [good, all] = this.#described ?? [];
		console.log(all === undefined ? "" : `  answers of ${good} of ${all} endpoints are as described\n`);
	}
}

function reason(error) {
	const inner = error.innerError?.response;
	const answer = inner ? ` (HTTP ${inner.status}: ${JSON.stringify(inner.data)})` : "";
	return `${error.message}${answer}`.replaceAll(/\s+/g, " ").slice(0, 200);
}

/** That an object has these members, whatever else. */
export function has(object, ...members) {
	assert.deepEqual(members.filter((member) => !(member in object)), [], `members of ${JSON.stringify(object).slice(0, 300)}`);
}
