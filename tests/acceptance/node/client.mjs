// A client of Lodestream in another language: the .proto files and two grpc packages are all it knows.
//
// Usage: LODESTREAM_TOKEN=… node client.mjs PROTO_DIR HOST:PORT LOG
//
// Uploads the log, starts an operation, watches it, drops the stream again and again in the middle, resumes with the last
// token, and checks that every event came once and in order. Prints one line of JSON; exits 1 when something is not so.

import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const [protoDir, target, log] = process.argv.slice(2);
const TENANT = '3f0c7d5e-2b1a-4c3d-9e8f-0a1b2c3d4e5f';
const PROJECT = '7a6b5c4d-3e2f-4a1b-8c9d-0e1f2a3b4c5d';
const DROPS = 3;

const definition = protoLoader.loadSync(['lodestream/v1/dataset.proto', 'lodestream/v1/operation.proto'], {
  includeDirs: [protoDir],
  longs: Number,
  enums: String,
  oneofs: true,
});
const { DatasetService, OperationService } = grpc.loadPackageDefinition(definition).lodestream.v1;

const plain = grpc.credentials.createInsecure();
const datasets = new DatasetService(target, plain);
const operations = new OperationService(target, plain);
const key = new grpc.Metadata();
key.set('authorization', `Bearer ${process.env.LODESTREAM_TOKEN}`);

function check(condition, message) {
  if (!condition) throw new Error(message);
}

function unary(client, method, request) {
  return new Promise((resolve, reject) => {
    client[method](request, key, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

// The header, then the file in pieces, no faster than the server takes them.
async function upload() {
  let answered;
  const answer = new Promise((resolve, reject) => {
    answered = datasets.uploadDataset(key, (error, stored) => (error ? reject(error) : resolve(stored)));
  });
  const header = { tenantId: TENANT, projectId: PROJECT, datasetName: 'From Node', fileName: basename(log) };
  answered.write({ header });
  for await (const chunk of createReadStream(log, { highWaterMark: 256 * 1024 })) {
    if (!answered.write({ chunk })) await new Promise((resolve) => answered.once('drain', resolve));
  }
  answered.write({ footer: {} });
  answered.end();
  return answer;
}

// One connection from a token on: calls `seen` for each frame, which returns false to drop the stream there.
function watchOnce(operationId, resumeToken, seen) {
  const request = { tenantId: TENANT, projectId: PROJECT, operationId };
  const stream = operations.watchOperation({ request, resumeToken, replay: true }, key);
  return new Promise((resolve, reject) => {
    let dropped = false;
    stream.on('data', (frame) => {
      if (dropped || seen(frame)) return;
      dropped = true;
      stream.cancel();
    });
    stream.on('error', (error) => (dropped || error.code === grpc.status.UNAVAILABLE ? resolve() : reject(error)));
    stream.on('end', resolve);
  });
}

// The whole story, over as many connections as it takes.
async function follow(operationId) {
  const story = { events: [], tokens: [], done: 0, drops: 0, connections: 0 };
  let token = '';
  while (!story.done) {
    story.connections += 1;
    await watchOnce(operationId, token, (frame) => {
      token = frame.resumeToken;
      if (frame.frame === 'events') story.events.push(...frame.events.events);
      if (frame.frame === 'done') story.done += 1;
      if (frame.frame === 'events') story.tokens.push({ token, after: story.events.at(-1).sequence });
      const dropHere = frame.frame === 'events' && story.drops < DROPS;
      story.drops += dropHere ? 1 : 0;
      return !dropHere;
    });
    check(story.connections < 1000, 'the stream never comes to its end');
  }
  return story;
}

// Everything after the place that a token names, on a connection of its own.
async function tail(operationId, token) {
  const sequences = [];
  await watchOnce(operationId, token, (frame) => {
    if (frame.frame === 'events') sequences.push(...frame.events.events.map((event) => event.sequence));
    return true;
  });
  return sequences;
}

async function main() {
  const { datasetId, dataset } = await upload();
  check(dataset.events > 0, 'the dataset has no events');
  const started = await unary(operations, 'startOperation', {
    tenantId: TENANT,
    projectId: PROJECT,
    operationType: 'OPERATION_TYPE_PROCESS_MINING_ANALYSIS',
    operationName: 'From Node',
    parameters: { fields: { datasetId: { stringValue: datasetId } } },
  });
  const story = await follow(started.operationId);
  const sequences = story.events.map((event) => event.sequence);
  check(story.drops === DROPS, `the stream was dropped ${story.drops} times, not ${DROPS}`);
  check(sequences.every((number, index) => number === index + 1), `gap or repeat: ${sequences.join(' ')}`);
  const ends = story.events.filter((event) => ['completed', 'failed', 'cancelled', 'timedOut'].includes(event.body));
  check(ends.length === 1 && ends[0] === story.events.at(-1), 'not exactly one terminal event, at the end');
  check(ends[0].body === 'completed', `the operation ended as ${ends[0].body}`);

  const middle = story.tokens[Math.floor(story.tokens.length / 2)];
  const rest = await tail(started.operationId, middle.token);
  const wanted = sequences.filter((number) => number > middle.after);
  check(JSON.stringify(rest) === JSON.stringify(wanted), 'a token of the middle does not lead to the rest');

  const request = { tenantId: TENANT, projectId: PROJECT, operationId: started.operationId };
  const results = await unary(operations, 'getOperationResults', request);
  check(results.success && results.artifacts.length > 0, 'no results');
  console.log(
    JSON.stringify({
      operationId: started.operationId,
      cases: dataset.cases,
      events: sequences.length,
      drops: story.drops,
      connections: story.connections,
      artifacts: results.artifacts.length,
    }),
  );
}

main()
  .catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  })
  .finally(() => {
    datasets.close();
    operations.close();
  });
