// Stands between a client and the mock, and holds what passes against the API descriptions.

import http from "node:http";

import { endpoint, faults, queryFaults } from "./description.js";

/** A server before the mock at `origin`. With `requests` it judges what the client sends, too, not only the answers. */
export async function judge(origin, { requests = false } = {}) {
	/** By endpoint: how often it was called, and what was wrong. */
	const seen = new Map();
	const note = (name, wrong) => {
		const row = seen.get(name) ?? { calls: 0, wrong: new Set() };
		row.calls += 1;
		wrong.forEach((line) => row.wrong.add(line));
		seen.set(name, row);
	};
	const { hostname, port } = new URL(origin);
	const server = http.createServer((request, response) => {
		const [path, query = ""] = request.url.split("?");
		const sent = [];
		const passed = http.request({ hostname, port, path: request.url, method: request.method, headers: request.headers });
		passed.on("response", (answer) => {
			const parts = [];
			response.writeHead(answer.statusCode, answer.headers);
			answer.on("data", (part) => {
				parts.push(part);
				response.write(part);
			});
			answer.on("end", () => {
				response.end();
				if (answer.statusCode < 300) weigh(request.method, path, query, Buffer.concat(sent), Buffer.concat(parts));
			});
			answer.on("error", () => response.destroy());
		});
		passed.on("error", () => response.destroy());
		request.on("data", (part) => sent.push(part));
		request.pipe(passed);
	});

	function weigh(method, path, query, sent, answered) {
		const row = endpoint(method, path);
		if (row === null) return;
		if (row === undefined) return note(`${method} ${path}`, ["the description has no such endpoint"]);
		const wrong = faults(row.table, row.answer, parsed(answered), "answer");
		if (requests) {
			wrong.push(...queryFaults(row, query));
			if (row.body) wrong.push(...faults(row.table, row.body, parsed(sent), "request", false));
		}
		note(row.name, wrong);
	}

	await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
	return {
		origin: `http://127.0.0.1:${server.address().port}`,
		seen,
		stop: () => new Promise((resolve) => {
			server.closeAllConnections();
			server.close(resolve);
		}),
	};
}

function parsed(bytes) {
	const text = bytes.toString("utf8");
	if (text === "") return null;
	try {
		return JSON.parse(text);
	} catch {
		return text;
	}
}
