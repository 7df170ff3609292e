// SPDX-License-Identifier: Apache-2.0
// postal-mime.mjs: reads messages from standard input, each as a line of base64, and prints for each a
// line of JSON: what this parser makes of it.
import { createInterface } from 'node:readline';
import PostalMime from 'postal-mime';

const people = (list) =>
	(list ?? []).flatMap((a) => a.group ?? [a]).map((a) => [a.name, a.address]);

for await (const line of createInterface({ input: process.stdin })) {
	const m = await PostalMime.parse(Buffer.from(line, 'base64'), { rfc822Attachments: true });
	console.log(JSON.stringify({
		subject: m.subject ?? '',
		date: m.date ?? '',
		from: people(m.from ? [m.from] : []),
		to: people(m.to),
		attachments: m.attachments.map((a) => ({
			type: a.mimeType,
			name: a.filename,
			content: Buffer.from(a.content).toString('base64'),
		})),
	}));
}
