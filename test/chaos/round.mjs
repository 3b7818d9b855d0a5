/**
 * One round: a file moves to some nodes while faults strike, all from a seed. Judged is what nodes
 * have published (nothing but the file, compared by SHA-256), who has failed (only those that a
 * fault excuses, and by name), and that everything ends within a bound.
 */
import { existsSync } from 'node:fs'
import { MIB, sha256 } from '../../bench/workspace.mjs'
import { Random } from '../../dist/sim/random.js'
import { faults } from './faults.mjs'
import { Ground, plainSeconds } from './ground.mjs'

const file = 'moved.bin'

/** What happens in the round of this seed: a ground, and faults with their moments. */
export function planRound({ seed, names, most, on }) {
  const random = new Random(seed)
  const possible = names.filter((each) => faults[each].isPossible?.() ?? true)
  const isRoot = process.getuid?.() === 0
  const grounds = ['loopback', ...(isRoot ? ['lab'] : [])].filter((ground) =>
    possible.some((each) => isOn(each, ground)),
  )
  const ground = on ?? random.pick(grounds)
  const left = possible.filter((each) => isOn(each, ground))
  const chosen = []
  for (let more = random.integer(1, most); more > 0 && left.length > 0; more--)
    chosen.push(...left.splice(random.integer(0, left.length - 1), 1))
  const at = (each) => (faults[each].isFromStart ? 0 : random.between(0.1, 0.7))
  return { random, ground, strikes: chosen.map((each) => ({ name: each, at: at(each) })) }
}

function isOn(each, ground) {
  return faults[each].on === 'both' || faults[each].on === ground
}

/** Resolves to the lines that state it, and what is wrong. */
export async function playRound({ plan, count, bytes, limitSeconds }) {
  const lines = []
  const wrong = []
  const { random, strikes } = plan
  const ground = new Ground(plan.ground, count, bytes)
  try {
    const source = await ground.workspace.randomFile(file, bytes)
    for (const { name } of strikes) faults[name].prepare?.(ground, random)
    await ground.start()
    const rate = `${Math.ceil(bytes / plainSeconds)}B`
    const from = ['--key-file', ground.keyFile, '--limit-up', rate, '--json']
    const startMs = performance.now()
    ground.push([source, '--to', ground.addresses.join(), ...from])
    const after = () => `${((performance.now() - startMs) / 1000).toFixed(2).padStart(6)} s`
    const bound = setTimeout(() => {
      wrong.push(`not over after ${limitSeconds} s`)
      ground.pushing.kill('SIGCONT')
      ground.hasHung = true
      ground.end()
    }, limitSeconds * 1000)
    const striking = strikes.map(async ({ name, at }) => {
      while (landedShare(ground) < at) if (!(await ground.lasts(20))) return
      const begun = after()
      try {
        lines.push(`  ${begun}  ${name}: ${await faults[name].strike(ground, random)}`)
      } catch (error) {
        wrong.push(`${name} could not strike: ${error.message}`)
      }
    })
    await ground.isOver
    await Promise.all(striking)
    clearTimeout(bound)
    if (ground.hasHung) await tellHang(ground, lines)
    else if (strikes.some(({ name }) => faults[name].killsOrigin))
      await judgeSurvivors(ground, { limitSeconds, lines, wrong })
    else judgeResult(ground, strikes, wrong)
    lines.push(`  ${after()}  over`)
    await judgeCopies(ground, { source, lines, wrong })
  } finally {
    await ground.close()
  }
  return { lines, wrong }
}

function landedShare({ pushing, count, bytes }) {
  const progress = pushing.lines.findLast(({ event }) => event === 'progress')
  return (progress?.landedBytes ?? 0) / (count * bytes)
}

/** What each node waits for, and the last words of the push. */
async function tellHang(ground, lines) {
  const { workspace, nodes, lab, keyFile, pushing } = ground
  lines.push(`  last of the push: ${pushing.stdout.trimEnd().split('\n').at(-1)}`)
  const prefix = lab === undefined ? [] : lab.prefix(0)
  for (const [node, { address }] of nodes.entries()) {
    const args = ['status', address, '--key-file', keyFile, '--json']
    const asked = workspace.fr(args, { prefix })
    await asked.ended
    const { stdout, stderr } = asked
    lines.push(`  node ${node} waits: ${stdout.trim() || stderr.trim()}`)
  }
}

/** The push has ended by itself: who failed was excused, and says why. */
function judgeResult(ground, strikes, wrong) {
  const result = ground.pushing.lines.at(-1)
  if (result?.event !== 'result')
    return wrong.push(`the push ended without a result: ${ground.pushing.stderr.slice(-2000)}`)
  const excused = strikes.flatMap(({ name }) => faults[name].excuses ?? [])
  ground.claims = result.nodes.map(({ status }) => status === 'complete')
  const failed = result.nodes.filter(({ status }) => status !== 'complete')
  const most = strikes.filter(({ name }) => faults[name].excuses).length
  if (failed.length > most) wrong.push(`${failed.length} nodes failed, ${most} were struck down`)
  for (const [node, { status, code, reason }] of result.nodes.entries())
    if (status !== 'complete' && !excused.includes(code)) wrong.push(`node ${node}: ${reason}`)
}

const isAlive = ({ child }) => child.exitCode === null && child.signalCode === null

/** The origin was killed: all survivors publish, or all say that the same ranges are missing. */
async function judgeSurvivors(ground, { limitSeconds, lines, wrong }) {
  const living = [...ground.nodes.entries()].filter(([, node]) => isAlive(node))
  const outcomes = await Promise.all(
    living.map(async ([node, running]) => {
      const said = () => outcomeOf(running.stderr)
      try {
        await running.until('outcome', () => said() !== null, limitSeconds * 1000)
      } catch {
        wrong.push(`node ${node} says nothing within ${limitSeconds} s of the death of the origin`)
      }
      return said()
    }),
  )
  const missing = new Set(outcomes.filter((text) => text !== null && text !== 'published'))
  for (const text of missing) lines.push(`  survivors: ${text}`)
  const isMixed = missing.size > 1 || (missing.size === 1 && outcomes.includes('published'))
  if (isMixed) wrong.push('survivors do not agree on what is missing')
  ground.claims = ground.nodes.map(() => false)
  for (const [at, [node]] of living.entries()) ground.claims[node] = outcomes[at] === 'published'
}

/** 'published', or why it failed; null: nothing yet. */
function outcomeOf(log) {
  if (/ event=published /.test(log)) return 'published'
  return / event=failed .*? text="([^"]*)"/.exec(log)?.[1] ?? null
}

async function judgeCopies(ground, { source, lines, wrong }) {
  const expected = await sha256(source)
  let published = 0
  for (let node = 0; node < ground.count; node++) {
    const copy = ground.copyOf(node, file)
    const isThere = existsSync(copy)
    published += isThere ? 1 : 0
    if (isThere && (await sha256(copy)) !== expected)
      wrong.push(`node ${node} published another file`)
    if (!isThere && ground.claims?.[node]) wrong.push(`node ${node} is complete without a file`)
  }
  const mib = (ground.bytes / MIB).toFixed(0)
  lines.push(`  published by ${published} of ${ground.count} nodes: ${mib} MiB, SHA-256 compared`)
}
