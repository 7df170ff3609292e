// SPDX-License-Identifier: Apache-2.0
// imapflow.mjs PORT USER PASSWORD: what a webmail's back end does in a day: list, append, search,
// fetch with structure, download a part, flag, copy, move, delete, hear of news in IDLE. Prints what
// it saw as JSON.
import { ImapFlow } from 'imapflow';

const [port, user, pass] = process.argv.slice(2);
const options = { host: 'localhost', port: Number(port), secure: true, auth: { user, pass }, logger: false };
const client = new ImapFlow(options);
const other = new ImapFlow(options);
const seen = {};

await client.connect();
seen.specialUse = (await client.list()).map((m) => m.specialUse).filter(Boolean).sort();
seen.created = (await client.mailboxCreate(['Projekte', 'größer'])).path;
seen.status = await client.status('INBOX', { messages: true, uidNext: true, unseen: true, highestModseq: true });
seen.status.highestModseq = String(seen.status.highestModseq);

await client.mailboxOpen('INBOX');
const raw = Buffer.from(
	'From: <alice@example.test>\r\nTo: <bob@example.test>\r\nSubject: =?UTF-8?Q?gr=C3=BC=C3=9Fe?=\r\n' +
	'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nText.\r\n' +
	'--b\r\nContent-Type: application/octet-stream; name=x.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n' +
	'AAECAwQ=\r\n--b--\r\n');
const appended = await client.append('INBOX', raw, ['\\Flagged'], new Date('2026-01-02T03:04:05Z'));
seen.appended = { path: appended.destination, uid: appended.uid };
const message = await client.fetchOne(String(appended.uid),
	{ envelope: true, bodyStructure: true, flags: true, internalDate: true, size: true, source: true }, { uid: true });
seen.subject = message.envelope.subject;
seen.parts = message.bodyStructure.childNodes.map((p) => `${p.part} ${p.type}`);
seen.flags = [...message.flags].filter((f) => f !== "\\Recent");
seen.date = message.internalDate.toISOString();
seen.whole = message.source.equals(raw) && message.size === raw.length;
const part = await client.download(String(appended.uid), '2', { uid: true });
const bytes = [];
for await (const chunk of part.content) bytes.push(...chunk);
seen.part = bytes;
seen.found = await client.search({ subject: 'grüße' }, { uid: true });
await client.messageFlagsAdd(String(appended.uid), ['$Later', '\\Seen'], { uid: true });
seen.keyword = await client.search({ keyword: '$Later' }, { uid: true });
const copied = await client.messageCopy(String(appended.uid), 'Projekte/größer', { uid: true });
seen.copied = [...copied.uidMap.values()];
const moved = await client.messageMove(String(appended.uid), 'Archive', { uid: true });
seen.moved = [...moved.uidMap.values()];

// News in IDLE, from another connection.
const news = new Promise((resolve) => client.once('exists', (e) => resolve(e.count - e.prevCount)));
const idle = client.idle();
await other.connect();
await other.append('INBOX', raw);
seen.news = await news;
await other.logout();
await client.noop();
await idle;

await client.mailboxOpen('Projekte/größer');
await client.messageDelete('1:*', { uid: true });
seen.left = client.mailbox.exists;
await client.mailboxClose();
await client.mailboxRename('Projekte/größer', 'Projekte/kleiner');
await client.mailboxDelete('Projekte/kleiner');
seen.mailboxes = (await client.list()).map((m) => m.path).filter((p) => p.startsWith('Projekte'));
await client.logout();
console.log(JSON.stringify(seen));
