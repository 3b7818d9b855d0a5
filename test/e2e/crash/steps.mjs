/** What happens to a catalogue in the crash test; the steps of a group are asked at once. */

/** @typedef {import('../../../src/store/catalogue/record.js').HeldStream} HeldStream */

/** Of a partial. */
export const identity = {
  size: 1,
  mtime: { seconds: 1, nanos: 0 },
  ctime: { seconds: 1, nanos: 0 },
  inode: '1',
}

/** @returns {HeldStream} */
export function recordOf(name, version) {
  const time = { seconds: version, nanos: 0 }
  const size = 1_000 + version
  const mark = Buffer.from(`${name} ${version}`).toString('hex').padEnd(64, '0')
  return {
    name: new Uint8Array(Buffer.from(name)),
    contentId: mark.slice(0, 32),
    author: 'ab'.repeat(32),
    algorithm: 'xxh64',
    blockBytes: 65_536,
    size,
    dataBytes: size,
    fileDigest: `xxh64-blocks/65536:${mark.slice(0, 16)}`,
    mode: 0o600,
    mtime: time,
    publishedAtMs: version,
    verifiedAtMs: version,
    identity: { size, mtime: time, ctime: time, inode: '1' },
    via: 'push',
  }
}

/** Of the first version in the index, of others in a file. */
export function runsOf({ size, fileDigest, publishedAtMs }) {
  const payload = new Uint8Array(Buffer.alloc(publishedAtMs === 1 ? 200 : 5_000, fileDigest))
  return [{ offset: 0, length: size, payload }]
}

const put = (name, version) => (catalogue) => {
  const record = recordOf(name, version)
  return catalogue.put(record, runsOf(record))
}
const refresh = (name, version) => (catalogue) =>
  catalogue.refresh({ ...recordOf(name, version), verifiedAtMs: 99 })
const remove = (name) => (catalogue) => catalogue.remove(Buffer.from(name))

export const groups = [
  [put('a', 2)],
  [put('b', 1)],
  [refresh('b', 1)],
  [put('a', 3)],
  [refresh('a', 3)],
  [remove('b')],
  [put('c', 2), put('d', 1), remove('a'), put('c', 1)],
  [put('b', 3)],
]

/** A line for each record after the first `count` steps, as a catalogue should have them. */
export async function listedAfter(count) {
  const records = new Map()
  const set = (record) => records.set(Buffer.from(record.name).toString(), record)
  const model = {
    put: set,
    refresh: set,
    remove: (name) => records.delete(Buffer.from(name).toString()),
  }
  for (const step of groups.flat().slice(0, count)) step(model)
  return [...records.keys()].sort().map((name) => lineOf(records.get(name)))
}

export function lineOf({ name, fileDigest, verifiedAtMs }) {
  return `${Buffer.from(name)} ${fileDigest} ${verifiedAtMs}`
}
