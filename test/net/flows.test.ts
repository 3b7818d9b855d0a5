/** On a long way with loss, which one connection does not fill, more are opened. */
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { Lab } from '../../bench/lab/lab.mjs'
import { port } from '../../bench/lab/runs.mjs'
import { MIB, push, sameContent } from '../../bench/workspace.mjs'
import { startWorld, type World } from './world.js'

let world: World | undefined

afterEach(() => world?.close())

/** Connections that are open at the port of the node on this host. */
function connections(lab: Lab, host: number): number {
  const [command = '', ...prefix] = lab.prefix(host)
  const table = execFileSync(command, [...prefix, 'cat', '/proc/net/tcp'], { encoding: 'utf8' })
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  return table.split('\n').filter((line) => line.includes(`:${hex} `) && / 01 /.test(line)).length
}

test('more connections are opened on a way that one does not fill', async () => {
  const line = { forth: { delayMs: 20, lossPercent: 1 }, back: { delayMs: 20 }, seed: 5 }
  world = await startWorld(1, 40, 16 * MIB, { line })
  const { lab, workspace, nodes, keyFile } = world
  const source = await workspace.randomFile('source', 3 * MIB)
  let isOver = false
  const pushing = push(workspace, { source, nodes, keyFile, prefix: lab.prefix(0) }).finally(() => {
    isOver = true
  })
  let most = 0
  while (!isOver) {
    most = Math.max(most, connections(lab, 1))
    await sleep(20)
  }
  const { result, exitStatus } = await pushing
  expect(exitStatus).toBe(0)
  expect(result.nodes.map(({ status }) => status)).toEqual(['complete'])
  const copy = path.join(nodes[0]?.data ?? '', 'source')
  expect(sameContent(source, copy)).toBe(true)
  // The control link, the data connection, and at least two flows beside it.
  expect(most).toBeGreaterThanOrEqual(4)
})
