// The wall board: it follows /v1/board, a stream of Server-Sent Events that it reads with fetch, because an EventSource cannot
// send the user's token. The token stays in this tab.

const by = (id) => document.getElementById(id);
const silence = 40_000; // of a stream that sends something every 15 s: it is lost
const pauses = [1000, 2000, 5000, 10_000]; // before the next attempts

let token = sessionStorage.getItem("amictl-token") ?? "";
let latest; // the last board
let skew = 0; // the server's clock less ours, in milliseconds
let attempts = 0;

// element makes one with text, which is never markup.
function element(name, text, ...classes) {
	const e = document.createElement(name);
	e.textContent = text ?? "";
	e.classList.add(...classes.filter(Boolean));
	return e;
}

// set changes a text only if it is another one, so that nothing is read out twice or loses its selection.
function set(e, text) {
	if (e.textContent !== String(text)) e.textContent = text;
}

function age(since) {
	const seconds = Math.max(0, Math.round((Date.now() + skew - Date.parse(since)) / 1000));
	const [d, h, m, s] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
	const two = (n) => String(n).padStart(2, "0");
	if (d > 0) return `${d}d ${two(h)}h`;
	return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

// rows puts the lines of a table in order, and keeps the rows that there are: each has a key, and cells of a text and a class.
// A cell with a time in place of a text shows its age.
function rows(section, lines, none) {
	const body = section.querySelector("tbody");
	const heads = [...section.querySelectorAll("th")];
	const old = new Map([...body.children].map((tr) => [tr.dataset.key, tr]));
	let at = body.firstElementChild;
	for (const line of lines) {
		let tr = old.get(line.key);
		old.delete(line.key);
		if (!tr) {
			tr = document.createElement("tr");
			tr.dataset.key = line.key;
			for (const [i, head] of heads.entries()) {
				const cell = document.createElement(i === Number(section.dataset.head ?? 0) ? "th" : "td");
				if (cell.tagName === "TH") cell.scope = "row";
				cell.dataset.column = head.className;
				tr.append(cell);
			}
		}
		tr.className = line.bad ? "bad" : line.old ? "old" : "";
		line.cells.forEach((c, i) => fill(tr.children[i], c));
		if (tr === at) at = at.nextElementSibling;
		else body.insertBefore(tr, at);
	}
	for (const tr of old.values()) tr.remove();
	if (lines.length === 0) {
		const tr = document.createElement("tr");
		tr.dataset.key = "\n";
		const td = element("td", none, "none");
		td.colSpan = heads.length;
		tr.append(td);
		body.append(tr);
	}
}

function fill(cell, c) {
	const { text = "", since = "", kind = "", more = "" } = typeof c === "object" && c !== null ? c : { text: c };
	cell.className = `${cell.dataset.column} ${kind}`.trim();
	cell.dataset.since = since;
	const wanted = since ? age(since) : String(text);
	if (cell.dataset.shown === wanted + "\n" + more) return;
	cell.dataset.shown = wanted + "\n" + more;
	cell.replaceChildren(document.createTextNode(wanted), ...(more ? [element("span", more, "cause")] : []));
}

function number(id, shown, text, bad) {
	const box = by(id);
	box.hidden = !shown;
	box.classList.toggle("bad", Boolean(bad));
	set(box.querySelector("dd"), text);
}

function show(b) {
	latest = b;
	skew = Date.parse(b.time) - Date.now();
	by("login").hidden = true;
	by("board").hidden = false;
	const q = b.queues, oldest = q?.list.map((x) => x.oldest).filter(Boolean).sort()[0];
	number("n-nodes", true, `${b.nodes.all - b.nodes.bad} / ${b.nodes.all}`, b.nodes.bad > 0);
	number("n-calls", b.calls, b.calls?.all ?? "");
	number("n-waiting", q, q?.list.reduce((n, x) => n + x.callers, 0) ?? "");
	by("n-longest").querySelector("dd").dataset.since = oldest ?? "";
	number("n-longest", q, oldest ? age(oldest) : "–");
	number("n-down", b.endpoints, b.endpoints?.bad ?? "", b.endpoints?.bad > 0);
	number("n-trunks", b.registrations?.all > 0, b.registrations?.bad ?? "", b.registrations?.bad > 0);
	nodes(b);
	queues(b);
	calls(b);
	down(b);
	plot("p-calls", b.rates.begun, b.rates.step_s, 60, b.rates.begun);
	plot("p-abandoned", b.rates.abandoned, b.rates.step_s, 60, b.queues && b.rates.abandoned);
	plot("p-events", b.rates.events, b.rates.step_s, 1, true);
	document.title = b.nodes.bad > 0 ? `${b.nodes.bad} down – amictl` : "amictl";
}

function nodes(b) {
	rows(by("s-nodes"), b.nodes.list.map((n) => ({
		key: n.node, bad: !n.ready,
		cells: [
			n.node,
			n.ready ? (n.stale ? { text: "being listed", kind: "warn" } : { text: "ready", kind: "good" }) : { text: "away", kind: "bad", more: n.cause },
			{ since: n.since }, b.calls ? n.calls ?? 0 : "–", n.ping_us ? `${(n.ping_us / 1000).toFixed(1)} ms` : "–",
		],
	})), "There are none.");
}

function queues(b) {
	const section = by("s-queues");
	section.hidden = !b.queues;
	if (!b.queues) return;
	const several = b.nodes.all > 1;
	rows(section, b.queues.list.map((q) => ({
		key: q.node + "\n" + q.name,
		cells: [
			{ text: q.name, more: several ? q.node : "" }, { text: q.callers, kind: q.callers > 0 && q.free === 0 ? "bad" : q.callers > 0 ? "warn" : "" },
			q.oldest ? { since: q.oldest } : "–", `${q.free} / ${q.members}`,
			{ text: q.service_level === undefined ? "–" : `${q.service_level.toFixed(0)} %`, more: q.service_level === undefined ? "" : `in ${q.service_level_s} s` },
			{ text: q.answered, more: q.gaps > 0 ? "events are missing" : "" }, q.abandoned,
		],
	})), "There are none.");
}

function calls(b) {
	const section = by("s-calls");
	section.hidden = !b.calls;
	if (!b.calls) return;
	section.dataset.head = 2;
	const left = b.calls.all - b.calls.list.length;
	const states = Object.entries(b.calls.states).sort().map(([s, n]) => `${n} ${s}`).join(", ");
	set(section.querySelector(".more"), states + (left > 0 ? `; the ${b.calls.list.length} oldest of ${b.calls.all}` : ""));
	const away = new Set(b.nodes.list.filter((n) => n.stale || !n.ready).map((n) => n.node));
	rows(section, b.calls.list.map((c) => ({
		old: away.has(c.node), key: c.node + "\n" + c.linkedid,
		cells: [c.start ? { since: c.start } : "–", { text: c.state, kind: c.state === "talking" ? "good" : "" }, c.from ?? "", c.to ?? "", c.queue ?? "", c.node],
	})), "There are none.");
}

function down(b) {
	const section = by("s-down");
	section.hidden = !b.endpoints && !b.registrations;
	const lists = [...(b.registrations?.list ?? []), ...(b.endpoints?.list ?? [])];
	const all = (b.registrations?.bad ?? 0) + (b.endpoints?.bad ?? 0);
	set(section.querySelector(".more"), all > lists.length ? `the first ${lists.length} of ${all}` : "");
	rows(section, lists.map((e) => ({ key: [e.node, e.name, e.state].join("\n"), bad: true, cells: [e.name, e.reach ?? e.state, e.node] })), "Everything can be reached.");
}

const svg = (name, attributes) => {
	const e = document.createElementNS("http://www.w3.org/2000/svg", name);
	for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
	return e;
};

// plot draws counts of intervals as a rate for each `per` seconds.
function plot(id, counts, step, per, shown) {
	const figure = by(id);
	figure.hidden = !shown;
	if (!shown) return;
	const points = counts.map((n) => (n * per) / step);
	const key = points.join();
	if (figure.dataset.key === key) return;
	figure.dataset.key = key;
	const peak = Math.max(...points), top = ceiling(peak), last = points.at(-1);
	const text = `now ${short(last)}, at most ${short(peak)}`;
	set(figure.querySelector(".peak"), text);
	const name = figure.querySelector("figcaption").textContent;
	const drawing = svg("svg", { class: "plot", viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": `${name} in the last hour: ${text}` });
	for (const y of [0, 20, 40]) drawing.append(svg("line", { class: "grid", x1: 0, x2: 100, y1: y, y2: y }));
	const line = points.map((v, i) => `${((100 * i) / (points.length - 1)).toFixed(2)},${(40 - (40 * v) / top).toFixed(2)}`).join(" ");
	drawing.append(svg("polygon", { class: "area", points: `0,40 ${line} 100,40` }), svg("polyline", { class: "curve", points: line }));
	const high = element("p", "", "axis"), low = element("p", "", "axis");
	high.append(element("span", short(top)));
	low.append(element("span", "an hour ago"), element("span", "now"));
	figure.querySelectorAll("svg, .axis").forEach((e) => e.remove());
	figure.append(high, drawing, low);
}

// ceiling is the next round number: 1, 2 or 5 and zeros.
function ceiling(n) {
	if (n <= 1) return 1;
	const ten = 10 ** Math.floor(Math.log10(n));
	return [1, 2, 5, 10].map((f) => f * ten).find((c) => c >= n);
}

const short = (n) => (n >= 100 ? n.toFixed(0) : Number(n.toFixed(1)).toString());

// news tells who listens what has changed of the nodes.
function news(before, now) {
	const was = new Map(before?.nodes.list.map((n) => [n.node, n.ready]) ?? []);
	const told = now.nodes.list.filter((n) => was.has(n.node) && was.get(n.node) !== n.ready).map((n) => `${n.node} is ${n.ready ? "back" : "away"}`);
	if (told.length > 0) set(by("news"), told.slice(0, 5).join(", "));
}

function link(text, lost) {
	set(by("link"), text);
	by("link").classList.toggle("lost", lost);
	by("board").classList.toggle("lost", lost);
}

function askForToken(why) {
	by("board").hidden = true;
	by("login").hidden = false;
	set(by("why"), why);
	by("token").focus();
}

// follow reads one stream to its end. It returns whether to come again.
async function follow() {
	const abort = new AbortController();
	let timer = setTimeout(() => abort.abort(), silence);
	const headers = { Accept: "text/event-stream" };
	if (token) headers.Authorization = `Bearer ${token}`;
	try {
		const answer = await fetch("v1/board", { headers, signal: abort.signal, cache: "no-store", credentials: "omit" });
		if (answer.status === 401 || answer.status === 403) {
			const said = await answer.json().catch(() => ({}));
			const why = token ? "That secret is nobody's, or no longer." : "";
			token = "";
			sessionStorage.removeItem("amictl-token");
			link("", false);
			askForToken(answer.status === 403 ? said.message ?? "" : why);
			return false;
		}
		if (!answer.ok) throw new Error(`the server says ${answer.status}`);
		const text = answer.body.pipeThrough(new TextDecoderStream()).getReader();
		let rest = "";
		for (;;) {
			const { value, done } = await text.read();
			if (done) throw new Error("the connection ended");
			clearTimeout(timer);
			timer = setTimeout(() => abort.abort(), silence);
			const blocks = (rest + value).split("\n\n");
			rest = blocks.pop();
			for (const block of blocks) {
				if (!block.startsWith("data: ")) continue;
				const b = JSON.parse(block.slice("data: ".length));
				news(latest, b);
				attempts = 0;
				link("live", false);
				show(b);
			}
		}
	} finally {
		clearTimeout(timer);
	}
}

async function run() {
	for (;;) {
		try {
			if (!(await follow())) return;
		} catch {
			link(latest ? "connection lost; what is here is old. Trying again…" : "the server cannot be reached. Trying again…", true);
		}
		const pause = pauses[Math.min(attempts++, pauses.length - 1)];
		await new Promise((done) => setTimeout(done, pause * (0.75 + Math.random() / 2)));
	}
}

by("login").addEventListener("submit", (e) => {
	e.preventDefault();
	token = by("token").value.trim();
	sessionStorage.setItem("amictl-token", token);
	by("token").value = "";
	set(by("why"), "");
	link("connecting…", false);
	run();
});

setInterval(() => {
	set(by("clock"), new Date().toLocaleTimeString());
	if (by("link").classList.contains("lost")) return; // what is old does not grow older as if somebody watched
	for (const e of document.querySelectorAll("[data-since]")) {
		if (!e.dataset.since) continue;
		if (e.tagName === "DD") set(e, age(e.dataset.since));
		else fill(e, { since: e.dataset.since, kind: "" });
	}
}, 1000);

run();
