// Checks a call as a receiver would that uses the reference library: secret, headers and body come as JSON on standard
// input. Ends with 0 and prints what was verified, or with 1 and says why not.
import { Webhook } from "standardwebhooks";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { secret, headers, body } = JSON.parse(Buffer.concat(chunks).toString("utf8"));
try {
  console.log(JSON.stringify(new Webhook(secret).verify(body, headers)));
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
}
