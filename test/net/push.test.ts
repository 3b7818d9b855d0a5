/** Pushes over shaped links: contents are right, and a lost machine affects only itself. */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { wireFactor } from '../../bench/lab/lab.mjs'
import { MIB, type NodeProcess, push, sameContent } from '../../bench/workspace.mjs'
import { startWorld } from './world.js'

const count = 4
const mbit = 100
const closers: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function world() {
  const made = await startWorld(count, mbit, 256 * MIB)
  closers.push(() => made.close())
  return made
}

const copyOf = (node: NodeProcess) => path.join(node.data, 'source')

describe(`a push to ${count} nodes over links of ${mbit} Mbit/s`, () => {
  // Long enough that a stolen second does not decide.
  test('puts 32 MiB on all of them, and sends little more than one copy', async () => {
    const { lab, workspace, nodes, keyFile } = await world()
    const bytes = 32 * MIB
    const source = await workspace.randomFile('source', bytes)
    const before = lab.counters()[0]?.sent ?? 0
    const { result, exitStatus } = await push(workspace, {
      source,
      nodes,
      keyFile,
      prefix: lab.prefix(0),
    })
    expect(exitStatus).toBe(0)
    expect(result.nodes.map((node) => node.status)).toEqual(nodes.map(() => 'complete'))
    for (const node of nodes) expect(sameContent(source, copyOf(node))).toBe(true)
    const sent = (lab.counters()[0]?.sent ?? 0) - before
    expect(sent / bytes).toBeLessThan(1.15)
    const floorSeconds = ((bytes * 8) / (mbit * 1e6)) * wireFactor
    expect(result.seconds).toBeGreaterThan(floorSeconds * 0.9)
    expect(result.seconds).toBeLessThan(floorSeconds * 3)
  })

  test('survives a node that is killed with its cable cut: others complete, exit 3', async () => {
    const { lab, workspace, nodes, keyFile } = await world()
    const source = await workspace.randomFile('source', 32 * MIB)
    const victim = 2
    let struck: Promise<void> | undefined
    const strike = async () => {
      await sleep(1_000)
      lab.cut(victim)
      nodes[victim - 1]?.kill()
    }
    const { result, exitStatus } = await push(workspace, {
      source,
      nodes,
      keyFile,
      prefix: lab.prefix(0),
      // It does not come back.
      args: ['--rejoin', '0'],
      onLine(line) {
        if (line.event === 'plan') struck = strike()
      },
    })
    await struck
    expect(exitStatus).toBe(3)
    for (const [at, node] of nodes.entries()) {
      const outcome = result.nodes.find((each) => each.node === node.address)
      if (at === victim - 1) {
        expect(outcome?.status).toBe('failed')
        expect(outcome?.reason).toMatch(/ERR_FR_(NODE_SILENT|NODE_LOST|UNREACHABLE)/)
        continue
      }
      expect(outcome).toMatchObject({ status: 'complete', reason: null })
      expect(sameContent(source, copyOf(node))).toBe(true)
    }
  })
})
