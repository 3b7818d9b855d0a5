/** What a master tells: of itself, and in rows; the types are those of the library. */
import { z } from 'zod'
import type {
  AuditTold,
  ComponentTold,
  ExplainTold,
  NodeTold,
  PlanTold,
  ResourceTold,
  SetsAppliedResult,
  SetTold,
} from '../../api/master-client-types.js'
import type { MasterStatus } from '../../api/master-types.js'
import { amount, auditLine, fact, text } from './node-schemas.js'
import { named, told } from './route.js'

const kinds = ['uplink', 'downlink', 'site', 'link'] as const
const range = z.tuple([amount, amount]).describe('Offset and length')

export const masterStatus: z.ZodType<MasterStatus> = named(
  told,
  'MasterStatus',
  z.object({
    event: z.literal('master'),
    master: text,
    nodeId: text,
    version: text,
    uptimeSeconds: amount,
    leads: fact,
    leader: text.nullable(),
    nodes: z.array(text),
    sets: amount,
    contents: amount,
    copies: amount,
    counters: z.object({
      connections: amount,
      refusedConnections: amount,
      authFailures: amount,
    }),
    audit: z.array(auditLine),
  }),
)

export const set: z.ZodType<SetTold> = named(
  told,
  'Set',
  z.object({
    event: z.literal('set'),
    set: text,
    priority: amount,
    files: amount,
    nodes: amount,
    complete: amount,
    missingFiles: amount,
    missingBytes: amount,
    leftAtNodes: z.array(z.object({ node: text, files: amount, bytes: amount })),
    leftOfFiles: z.array(z.object({ name: text, nodes: amount, bytes: amount })),
    unended: z.array(z.object({ name: text, bytes: amount, seconds: amount })),
    unknown: z.array(text),
    contradictions: z.array(z.object({ name: text, set: text })),
  }),
)

export const link: z.ZodType<ResourceTold> = named(
  told,
  'Link',
  z.object({
    event: z.literal('link'),
    kind: z.enum(kinds),
    name: text,
    capabilityBytesPerSecond: amount.nullable(),
    allocatedBytesPerSecond: amount,
    usedBytesPerSecond: amount,
    costPerGb: amount,
    bytes: amount,
    cost: amount,
    isFailed: fact,
  }),
)

export const component: z.ZodType<ComponentTold> = named(
  told,
  'Component',
  z.object({
    event: z.literal('component'),
    kind: z.enum(['node', 'disk', ...kinds]),
    name: text,
    isFailed: fact,
    retrySeconds: amount.nullable(),
    failures: amount,
    causes: z.array(z.object({ cause: text, count: amount })),
  }),
)

const copyRow = z.object({
  event: z.literal('copy'),
  copy: amount,
  name: text,
  range,
  source: text,
  target: text,
  bytesPerSecond: amount.nullable(),
  seconds: amount,
})

export const planRow: z.ZodType<PlanTold> = named(
  told,
  'PlanRow',
  z.discriminatedUnion('event', [
    copyRow,
    z.object({
      event: z.literal('slice'),
      name: text,
      size: amount,
      range,
      from: text,
      to: text,
      nodes: amount,
    }),
  ]),
)

export const masterNode: z.ZodType<NodeTold> = named(
  told,
  'MasterNode',
  z.object({
    event: z.literal('node'),
    node: text,
    site: text,
    isHere: fact,
    isDrained: fact,
    files: amount,
    wanted: amount,
    missing: amount,
    missingBytes: amount,
    freeBytes: amount,
  }),
)

export const auditRow: z.ZodType<AuditTold> = named(
  told,
  'AuditRow',
  z.object({
    event: z.literal('audit'),
    node: text,
    name: text,
    fault: z.enum(['missing', 'other', 'size']),
    wanted: text.nullable(),
    held: text.nullable(),
  }),
)

export const explained: z.ZodType<ExplainTold> = named(
  told,
  'Explained',
  z.object({
    event: z.literal('explain'),
    node: text,
    name: text,
    digest: text.nullable(),
    size: amount.nullable(),
    heldBytes: amount,
    set: text.nullable(),
    state: z.enum([
      ...(['away', 'drained', 'unwanted', 'declined', 'held', 'unknown', 'full'] as const),
      ...(['growing', 'unended', 'copying', 'next', 'source', 'room'] as const),
    ]),
    text,
    copies: z.array(copyRow),
    candidates: z.array(
      z.object({
        event: z.literal('candidate'),
        source: text,
        site: text,
        range,
        bytesPerSecond: amount.nullable(),
        costPerGb: amount,
        hops: amount,
        fullness: amount,
        holders: amount,
        serving: amount,
        faults: amount,
        score: amount,
        parts: z.record(text, amount).nullable(),
      }),
    ),
  }),
)

export const applied: z.ZodType<SetsAppliedResult> = named(
  told,
  'SetsApplied',
  z.object({
    event: z.literal('sets'),
    master: text,
    dryRun: fact,
    isKept: fact,
    changes: z.array(
      z.object({
        event: z.literal('change'),
        set: text,
        change: z.enum(['added', 'removed', 'changed']),
        fields: z.array(text),
        added: amount,
        removed: amount,
        changed: amount,
        filesAdded: z.array(text),
        filesRemoved: z.array(text),
        filesChanged: z.array(text),
      }),
    ),
  }),
)

export const drained = named(
  told,
  'Drained',
  z.object({
    event: z.literal('drained'),
    master: text,
    node: text,
    isDrained: fact,
    copies: amount,
    isKept: fact,
  }),
)
