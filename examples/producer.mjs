// Put one image on the job stream as the backend does, wait for its verdict, print it as JSON.
//
// npm install redis (5 or newer)
// node producer.mjs IMAGE_URL [CALLBACK_URL]
//
// Exit codes: 0 a verdict, 1 the image could not be judged, 2 usage or no Redis, 3 no answer in time.
import { randomUUID } from "node:crypto";
import { createClient } from "redis";

const JOBS = "stream:ai:imageml:jobs";
const RESULTS = "stream:ai:imageml:results";
const TIMEOUT_S = Number(process.env.TIMEOUT_S ?? 120);

async function judged(client, image_url, callback_url) {
  // Remembered before pushing: the answer may be there before the push returns.
  const [last] = await client.xRevRange(RESULTS, "+", "-", { COUNT: 1 });
  let after = last?.id ?? "0-0";
  const jobId = randomUUID();
  const job = {
    type: "image",
    jobId,
    clientId: "c1",
    image_url,
    image_hash: null,
    callback_url,
    STREAM_KEY: JOBS,
    retry: 0,
  };
  await client.xAdd(JOBS, "*", { data: JSON.stringify(job) });
  const deadline = Date.now() + TIMEOUT_S * 1000;
  for (let left = TIMEOUT_S * 1000; left > 0; left = deadline - Date.now()) {
    const streams = await client.xRead({ key: RESULTS, id: after }, { COUNT: 100, BLOCK: Math.min(left, 5000) });
    for (const { id, message } of streams?.[0].messages ?? []) {
      after = id;
      const result = JSON.parse(message.data);
      if (result.job_id === jobId) return result;
    }
  }
  return null;
}

const [imageUrl, callbackUrl = null] = process.argv.slice(2);
if (imageUrl === undefined) {
  console.error("usage: node producer.mjs IMAGE_URL [CALLBACK_URL]");
  process.exit(2);
}
const client = createClient({ url: process.env.REDIS_URL ?? "redis://localhost:6379" });
client.on("error", (error) => {
  console.error(`Redis cannot be used: ${error.message}`);
  process.exit(2);
});
await client.connect();
const result = await judged(client, imageUrl, callbackUrl);
await client.close();
if (result === null) console.error(`No answer within ${TIMEOUT_S} s: does a worker run?`);
else console.log(JSON.stringify(result, null, 2));
process.exitCode = result === null ? 3 : result.status === "done" ? 0 : 1;
