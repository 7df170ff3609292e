// SPDX-License-Identifier: Apache-2.0
// nodemailer.mjs PORT implicit|starttls USER PASSWORD FROM TO: sends two messages over one pooled
// connection, one with an attachment, and prints what the server answered to each as JSON.
import nodemailer from 'nodemailer';

const [port, how, user, pass, from, to] = process.argv.slice(2);
const transport = nodemailer.createTransport({
	host: 'localhost',
	port: Number(port),
	secure: how === 'implicit',
	requireTLS: true,
	pool: true,
	maxConnections: 1,
	auth: { user, pass },
});
await transport.verify();
const answers = [];
for (const message of [
	{ subject: `plain by ${how}`, text: 'One line.\n.\n..and dots\n' },
	{
		subject: `größer by ${how}`,
		text: 'See the attachment.',
		html: '<p>See the <b>attachment</b>.</p>',
		attachments: [{ filename: 'zahlen ü.bin', content: Buffer.from([...Array(256).keys()]) }],
	},
]) {
	const info = await transport.sendMail({ from, to, ...message });
	answers.push({ accepted: info.accepted, rejected: info.rejected, response: info.response });
}
transport.close();
console.log(JSON.stringify(answers));
