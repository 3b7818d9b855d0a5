/** What is asked for a transfer, and what is told of one. */
import { z } from 'zod'
import { limits } from '../../base/limits.js'
import {
  amount,
  endedTransfer,
  fact,
  nodeTransfer,
  outcome,
  plan,
  progress,
  pushResult,
  text,
} from './node-schemas.js'
import { problem } from './openapi.js'
import { asked, named, told } from './route.js'

const address = z.string().min(1).max(limits.addressChars).describe('HOST[:PORT]')
const name = z.string().min(1).max(4_096).describe('Name at the nodes')
const rate = z.number().positive().describe('Bytes a second')
const milliseconds = z.int().min(0)
const flag = z.boolean().exactOptional()
const criteria = z.string().min(1).max(4_096)
const fewAddresses = z.array(address).max(16).exactOptional()

export const target = named(
  asked,
  'Target',
  z.strictObject({
    address,
    uplinkBytesPerSecond: rate.exactOptional(),
    downlinkBytesPerSecond: rate.exactOptional(),
    site: z.string().min(1).max(limits.siteChars).exactOptional(),
    advertise: address.exactOptional(),
    via: address.exactOptional(),
  }),
)

export const targetAsked = z.union([address, target])

/** As the options of `push` and `copy` in the library, by the same names. */
const exchange = {
  to: z.array(targetAsked).min(1).max(limits.nodesPerPush),
  as: name.exactOptional(),
  strategy: z.enum(['adaptive', 'classic']).exactOptional(),
  shape: z.enum(['auto', 'unicast', 'group', 'chain', 'tree', 'binomial']).exactOptional(),
  groupSize: z.int().min(1).exactOptional(),
  handover: z.enum(['corresponding', 'every']).exactOptional(),
  site: z.string().min(1).max(limits.siteChars).exactOptional(),
  relays: fewAddresses,
  limitUpBytesPerSecond: rate.exactOptional(),
  limitDownBytesPerSecond: rate.exactOptional(),
  priority: z.int().min(1).max(100).exactOptional(),
  uplinkBytesPerSecond: rate.exactOptional(),
  connectMs: milliseconds.exactOptional(),
  silenceMs: milliseconds.exactOptional(),
  retries: z.int().min(0).exactOptional(),
  rejoinMs: milliseconds.exactOptional(),
  timeoutMs: milliseconds.exactOptional(),
  minRateBytesPerSecond: rate.exactOptional(),
  noClobber: flag,
  strict: flag,
  seal: flag,
  wait: flag,
  allowAdd: flag,
}

export const sourcePath = z
  .string()
  .min(1)
  .max(4_096)
  .describe('Of a file or directory below one that the door was given (--http-source)')

export const transferAsked = named(
  asked,
  'TransferAsked',
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('copy'), name, ...exchange }),
    z.strictObject({
      kind: z.literal('push'),
      path: sourcePath,
      ...exchange,
      digest: z.enum(['blake3', 'sha256', 'xxh64']).exactOptional(),
      keep: z.int().min(0).exactOptional(),
      only: criteria.exactOptional(),
      commit: z.enum(['all', 'quorum']).exactOptional(),
      compress: z.enum(['auto', 'zstd', 'off']).exactOptional(),
      mirrors: fewAddresses,
      spareOrigin: flag,
    }),
    z.strictObject({
      kind: z.literal('publish'),
      path: sourcePath,
      where: criteria,
      allow: criteria.exactOptional(),
      as: name.exactOptional(),
      ttlSeconds: z.number().positive().exactOptional(),
      seal: flag,
    }),
  ]),
)

export type TransferAsked = z.output<typeof transferAsked>

export const published = named(
  told,
  'Published',
  z.object({
    event: z.literal('published'),
    name: text,
    node: text,
    announcement: text,
    contentId: text,
    digest: text,
    bytes: amount,
    where: text,
    allow: text.nullable(),
    ttlSeconds: amount.nullable(),
    format: text,
    isLinear: fact,
    blockBytes: amount,
    tracks: z.array(
      z.object({ name: text, bytes: amount, blocks: amount, bitRate: amount.nullable() }),
    ),
    seconds: amount,
  }),
)

export const sourcesTold = named(
  told,
  'Sources',
  z.object({
    items: z.array(
      z.object({
        name: text,
        path: text,
        kind: z.enum(['file', 'directory']),
        bytes: amount.nullable(),
      }),
    ),
    next: text.nullable(),
  }),
)

export type SourcesTold = z.output<typeof sourcesTold>
export type SourceEntry = SourcesTold['items'][number]

const summary = {
  id: text,
  kind: z.enum(['copy', 'push', 'publish', 'other']),
  name: text,
  state: z.enum(['running', 'complete', 'partial', 'failed', 'cancelled']),
  startedAt: text.nullable(),
  endedAt: text.nullable(),
  bytes: amount.nullable(),
  share: amount.nullable(),
  problem: problem.nullable(),
}

export const transferSummary = named(told, 'TransferSummary', z.object(summary))

export const transferTold = named(
  told,
  'Transfer',
  z.object({
    ...summary,
    here: nodeTransfer.nullable(),
    ended: endedTransfer.nullable(),
    plan: plan.nullable(),
    progress: progress.nullable(),
    nodes: z.array(outcome),
    result: pushResult.nullable(),
    published: published.nullable(),
  }),
)

export type TransferTold = z.output<typeof transferTold>
export type TransferSummary = z.output<typeof transferSummary>
