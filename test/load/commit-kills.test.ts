/**
 * `npm run kills`: nodes that switch together, while the author and nodes are killed at random
 * between what they do, FR_ROUNDS times. A reader looks at the file of each node all the time.
 *
 * In each round a version is pushed with `--commit all` to five nodes, of which some and the author
 * are killed once the first has voted. Then all have the version before, or all have the new one,
 * once they talk; and no reader has seen anything else, or the older one after the newer.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { until } from '../../bench/running.mjs'
import { copyDigest, listOf, type ServingNode, sha256, World } from '../e2e/cli-world.js'

const rounds = Number(process.env['FR_ROUNDS'] ?? 20)
const bytes = 300_000

/** Looks at the file of each node until it is stopped: what was seen there, in its order. */
function reader(nodes: readonly ServingNode[]) {
  const seen = nodes.map((): (string | null)[] => [])
  const timer = setInterval(() => {
    for (const [at, node] of nodes.entries()) {
      const content = copyDigest(node, 'model')
      if (seen[at]?.at(-1) !== content) seen[at]?.push(content)
    }
  }, 10)
  return { seen, stop: () => clearInterval(timer) }
}

/** A decision is open at it. */
function hasVoted({ data }: ServingNode): boolean {
  const votes = join(data, '.fastreplica/commits')
  return existsSync(votes) && readdirSync(votes).some((name) => name !== 'state')
}

test('all old or all new after any kill, once they talk', { timeout: 900_000 }, async () => {
  const world = new World()
  try {
    let nodes = await Promise.all([1, 2, 3, 4, 5].map((at) => world.node(`n${at}`)))
    let before = sha256(world.file('next', bytes))
    const push = ['push', 'next', '--to', listOf(nodes), '--as', 'model', '--json']
    expect((await world.run(push)).status).toBe(0)
    const isCalm = async ({ address }: ServingNode): Promise<boolean> =>
      (await world.run(['status', address, '--json'])).lines[0]?.['decisions']?.length === 0
    const outcomes = { old: 0, new: 0 }
    for (let round = 1; round <= rounds; round++) {
      const content = sha256(world.file('next', bytes))
      const reading = reader(nodes)
      const quick = ['--retries', '0', '--rejoin', '0s']
      const author = world.fr([...push, '--commit', 'all', ...quick])
      const ended = author.ended.then(() => true)
      // Around the decision: some have prepared, or all have, or it is carried out.
      while (!nodes.some(hasVoted) && !(await Promise.race([ended, pause(2, false)])));
      await pause(Math.random() < 0.5 ? 0 : 300 * Math.random())
      const isAuthorKilled = Math.random() < 0.6
      const dead = nodes.filter(() => Math.random() < 0.4)
      if (isAuthorKilled) author.kill('SIGKILL')
      for (const node of dead) node.kill('SIGKILL')
      await Promise.all([author.ended, ...dead.map(({ ended }) => ended)])
      nodes = await Promise.all(
        nodes.map(async (node, at) => {
          if (!dead.includes(node)) return node
          return world.startNode({ name: `n${at + 1}`, listen: node.address })
        }),
      )
      for (const node of nodes) await until(() => isCalm(node), 'it has decided', 90_000, 200)
      reading.stop()
      const text = `round ${round}: ${isAuthorKilled ? 'the author and ' : ''}${dead.length} nodes`
      const shown = nodes.map((node) => copyDigest(node, 'model'))
      expect([before, content], text).toContain(shown[0])
      expect(shown, text).toEqual(nodes.map(() => shown[0]))
      const whole = shown[0] === content ? [before, content] : [before]
      for (const seen of reading.seen) expect([whole, [before]], text).toContainEqual(seen)
      console.log(`${text} killed: ${shown[0] === content ? 'all new' : 'all old'}`)
      outcomes[shown[0] === content ? 'new' : 'old']++
      before = shown[0] as string
    }
    console.log(outcomes)
  } finally {
    await world.close()
  }
})
