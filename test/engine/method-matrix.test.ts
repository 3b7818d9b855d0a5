/**
 * Every method of the engine and its storage in every situation of an engine's life: allowed, or
 * the exact error. The table is complete by its type; method-calls.mjs makes the calls.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import type { DataEngine, Storage } from '../../src/ports.js'
import { type EngineUnderTest, engines } from './engines.js'
import { useWorld } from './world.js'

type Method = Exclude<keyof DataEngine, 'kind' | 'storage'> | `storage.${keyof Storage}`
type Outcome = 'allowed' | 'TypeError' | 'ERR_FR_CLOSED'
type Outcomes = Record<string, string>

/** [before any transfer, with handles that nobody has; in mid-feed; from shutdown on]. */
const needsHandle = ['TypeError', 'allowed', 'ERR_FR_CLOSED'] as const
const needsNothing = ['allowed', 'allowed', 'ERR_FR_CLOSED'] as const
const closesHandle = ['TypeError', 'allowed', 'allowed'] as const
const always = ['allowed', 'allowed', 'allowed'] as const

const table: Record<Method, readonly [Outcome, Outcome, Outcome]> = {
  openTransfer: needsNothing,
  addStream: needsHandle,
  adopt: needsHandle,
  serve: needsHandle,
  bridge: needsNothing,
  tuneControl: always,
  setRoute: needsHandle,
  assign: needsHandle,
  hold: needsHandle,
  skip: needsHandle,
  ask: needsHandle,
  grow: needsHandle,
  cut: needsHandle,
  forget: needsHandle,
  send: needsHandle,
  sendDigests: needsHandle,
  relayDigests: needsHandle,
  finish: needsHandle,
  close: always,
  closeTransfer: closesHandle,
  limit: needsNothing,
  limitTransfer: needsHandle,
  limitFeeds: needsHandle,
  stats: needsHandle,
  counters: always,
  hashSource: needsHandle,
  hashNow: needsHandle,
  hashCached: needsHandle,
  hashHoles: needsHandle,
  blake3File: needsNothing,
  foldBlake3: needsNothing,
  xxh64: needsNothing,
  shutdown: always,
  'storage.openSource': needsNothing,
  'storage.checkSource': needsHandle,
  'storage.openDataDir': needsNothing,
  'storage.checkName': needsHandle,
  'storage.createPartial': needsHandle,
  'storage.openPartial': needsHandle,
  'storage.openHeld': needsHandle,
  'storage.remove': needsHandle,
  'storage.identityOf': needsHandle,
  'storage.read': needsHandle,
  'storage.copyIn': needsHandle,
  'storage.publish': needsHandle,
  'storage.probe': needsHandle,
  'storage.flush': needsHandle,
  'storage.trim': needsHandle,
  'storage.joinFile': needsHandle,
  'storage.refreshDataDir': needsHandle,
  'storage.listPartials': needsHandle,
  'storage.lookAt': needsHandle,
  'storage.lookAtPacked': needsHandle,
  'storage.listEntries': needsHandle,
  'storage.placeEntries': needsHandle,
  'storage.discard': needsHandle,
  'storage.expirePartials': needsHandle,
  'storage.freeBytes': needsHandle,
  'storage.closeFile': closesHandle,
  'storage.closeDataDir': closesHandle,
}

const situations = [
  ['before any transfer', 0],
  ['mid-feed', 1],
  ['closing', 2],
  ['closed', 2],
] as const

const calls = new URL('method-calls.mjs', import.meta.url)

async function outcomesHere(
  situation: string,
  under: EngineUnderTest,
  root: string,
): Promise<Outcomes> {
  // A name in a variable: plain JavaScript has no types to look for.
  const path = './method-calls.mjs'
  const { outcomesIn } = await import(/* @vite-ignore */ path)
  return outcomesIn(situation, under.create, root)
}

function outcomesInWorker(situation: string, kind: string, root: string): Promise<Outcomes> {
  const worker = new Worker(fileURLToPath(calls), { workerData: { situation, kind, root } })
  return new Promise((resolve, reject) => {
    let outcomes: Outcomes = {}
    worker.once('message', (sent: Outcomes) => {
      outcomes = sent
    })
    worker.once('error', reject).once('exit', () => resolve(outcomes))
  })
}

function expected(column: 0 | 1 | 2): Outcomes {
  return Object.fromEntries(Object.entries(table).map(([method, row]) => [method, row[column]]))
}

describe.each(engines)('$kind engine: every method', (under) => {
  const world = useWorld(under)

  it.each(situations)('%s', async (situation, column) => {
    const outcomes = await outcomesHere(situation, under, join(world.root, 'here'))
    expect(outcomes).toEqual(expected(column))
  })

  it.each(situations)('%s, in a worker', async (situation, column) => {
    const outcomes = await outcomesInWorker(situation, under.kind, join(world.root, 'worker'))
    expect(outcomes).toEqual(expected(column))
  })
})
