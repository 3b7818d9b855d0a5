/**
 * `npm run soak -- --hours N [--minutes N] [--seed 1] [--rate 2MB] [--out DIR]`: everything at once
 * for hours, and whether anything grows.
 *
 * A master and six nodes live while files, trees, logs and versions of sets are pushed, copied,
 * read and removed, while clients hold pages and files of their doors open, a node is killed, a
 * disk fills up and senders are cut off. Memory, descriptors, threads, disk and delay of each
 * process that lives from begin to end are sampled every 10 s. Fails where an act comes out wrong,
 * or a figure grows (test/soak/slopes.mjs). Ended by SIGINT it judges what was until then. `--out`
 * keeps every sample (samples.jsonl), the result (result.json) and a page of it (result.md).
 */
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, setPriority } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { machineLine } from '../bench/machine.mjs'
import { parseSize } from '../dist/cli/render/units.js'
import { Random } from '../dist/sim/random.js'
import { Acts, mixture, readers, readersTold } from '../test/soak/acts.mjs'
import { Fleet } from '../test/soak/fleet.mjs'
import { pageOf, verdictOf } from '../test/soak/verdict.mjs'

const { values } = parseArgs({
  options: {
    hours: { type: 'string' },
    minutes: { type: 'string' },
    seed: { type: 'string', default: '1' },
    rate: { type: 'string', default: '2MB' },
    out: { type: 'string' },
  },
})

function amount(name, text) {
  const value = Number(text)
  if (/^\d{1,6}(?:\.\d{1,6})?$/.test(text) && value > 0) return value
  process.stderr.write(`soak: --${name} is a number above 0, not '${text}'\n`)
  return process.exit(2)
}

const sampleMs = 10_000
const tellMs = 300_000
const wantedSeconds =
  values.minutes === undefined
    ? amount('hours', values.hours ?? '1') * 3_600
    : amount('minutes', values.minutes) * 60
const bytesPerSecond = parseSize(values.rate)
const random = new Random(amount('seed', values.seed))

setPriority(10)
let startMs = performance.now()
const seconds = () => (performance.now() - startMs) / 1_000
const end = new AbortController()
const fleet = new Fleet()
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.removeAllListeners(signal)
  process.on(signal, () => (end.signal.aborted ? process.exit(130) : end.abort(signal)))
}
if (values.out !== undefined) mkdirSync(values.out, { recursive: true })

const keep = (name, text, write = writeFileSync) => {
  if (values.out !== undefined) write(path.join(values.out, name), text)
}
const wait = (ms) => sleep(ms, undefined, { signal: end.signal }).catch(() => {})
const isOver = () => end.signal.aborted || seconds() > wantedSeconds

/** On the disk, since this process is judged as well. */
const samplesFile = path.join(values.out ?? fleet.workspace.directory, 'samples.jsonl')
rmSync(samplesFile, { force: true })
const counts = {}
const wrong = []

function take() {
  const sample = { at: seconds(), load: loadavg()[0], processes: fleet.sample() }
  appendFileSync(samplesFile, `${JSON.stringify(sample)}\n`)
}

async function watch() {
  let toldMs = 0
  while (!isOver()) {
    take()
    if (performance.now() - toldMs > tellMs) {
      toldMs = performance.now()
      const done = Object.values(counts).reduce((sum, count) => sum + count, 0)
      const { bytes } = acts
      const mb = `${(bytes / 1e6).toFixed(0)} MB`
      console.log(`${(seconds() / 60).toFixed(0)} min: ${done} acts, ${mb}, ${wrong.length} wrong`)
    }
    await wait(sampleMs)
  }
}

/** Each kind as often as the mixture says, in an order that the seed decides. */
async function act() {
  for (;;) {
    const left = Object.entries(mixture).flatMap(([name, count]) => Array(count).fill(name))
    while (left.length > 0) {
      if (isOver()) return
      const [name] = left.splice(random.integer(0, left.length - 1), 1)
      const before = { seconds: seconds(), bytes: acts.bytes }
      try {
        const what = await acts[name]()
        counts[name] = (counts[name] ?? 0) + 1
        const spent = (seconds() - before.seconds).toFixed(1)
        keep(
          'acts.log',
          `${before.seconds.toFixed(0)} s ${name}: ${what}, ${spent} s\n`,
          appendFileSync,
        )
      } catch (error) {
        wrong.push(`${(seconds() / 60).toFixed(1)} min, ${name}: ${error.message}`)
        console.log(`wrong: ${wrong.at(-1)}`)
        if (wrong.length >= 20) end.abort('too much goes wrong')
      }
      const due = before.seconds + (acts.bytes - before.bytes) / bytesPerSecond
      await wait(Math.max(500, (due - seconds()) * 1_000))
    }
  }
}

const acts = new Acts(fleet, random)
let result
try {
  await fleet.start()
  console.log(`all are there after ${seconds().toFixed(0)} s`)
  startMs = performance.now()
  const reading = new AbortController()
  const read = readers(fleet, reading.signal)
  const watching = watch().catch((error) => {
    wrong.push(error.message)
    end.abort(error.message)
  })
  await act()
  end.abort('over')
  await watching
  reading.abort()
  await read
  const samples = readFileSync(samplesFile, 'utf8').trimEnd().split('\n')
  result = verdictOf(
    samples.map((line) => JSON.parse(line)),
    {
      ...{ machine: machineLine(), seconds: seconds(), wantedSeconds, seed: values.seed },
      ...{ counts, bytes: acts.bytes, wrong, readers: readersTold },
    },
  )
  keep('result.json', `${JSON.stringify(result, null, 2)}\n`)
  keep('result.md', pageOf(result))
  console.log(pageOf(result))
} finally {
  await fleet.close()
}
process.exitCode = result.isSound ? 0 : 1
