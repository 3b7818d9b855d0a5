/**
 * Checks options once, synchronously; code below trusts the result. Misuse is a TypeError that
 * names the option; features that this version lacks are ERR_FR_UNSUPPORTED.
 */

import type { DirectoryPlace } from '../agent/directory/node-directory.js'
import type { Attributes } from '../base/attributes.js'
import { type Detection, detectionFault, detectionOf } from '../base/detection.js'
import { type DigestAlgorithm, digestAlgorithms } from '../base/digests.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { nameFault } from '../base/names.js'
import type { NodeLimits, RateLimits, TransferShare } from '../base/rate-limits.js'
import type { ShapeWish } from '../control/dealing/planning.js'
import { type CommitMode, commitModes } from '../control/messages/commit.js'
import type { Strategy } from '../control/messages/types.js'
import type { GroupWish } from '../control/plan/layout.js'
import type { NodeLink } from '../control/plan/plan.js'
import { refuseUnsupported } from '../control/plan/refusals.js'
import type { Wants } from '../control/swarm/wants.js'
import { requireAddress, requireAddressText } from '../net/address.js'
import type { Self } from '../net/handshake.js'
import type { Key } from '../net/keys.js'
import type { AcceptHook } from '../session/receiver/acceptance.js'
import type { VersionRules } from '../store/versions/kept-files.js'
import { checkAttributes, checkOnly } from './attributes.js'
import {
  oneOf,
  optionalInteger,
  optionalLimit,
  optionalRate,
  optionalShare,
  requireBoolean,
  requireFunction,
  requireSignal,
  requireText,
} from './checks.js'
import { type CodingWish, checkCoding } from './coding-options.js'
import { refuseWithCommit } from './commit-refusals.js'
import { checkCredentials, checkKey } from './credentials.js'
import { checkDataDirs, checkRoles, checkShared, placements } from './data-dir-options.js'
import { checkDescriptors, type DescriptorWish } from './descriptor-options.js'
import { checkFollow, type FollowWish } from './following.js'
import { checkGrouping } from './grouping.js'
import { requireOptions } from './option-names.js'
import { nodeSealOf, sealOf } from './seal.js'
import { type CheckedSource, checkSource } from './source.js'
import { checkTargets, dialable } from './targets.js'
import { checkTreeWishes, type TreeWishes } from './tree-options.js'
import type { NodeOptions, NodeRole, PushOptions, PushSource } from './types.js'
import { checkWants } from './wants.js'

export interface CheckedPush {
  readonly source: CheckedSource
  readonly nodes: readonly NodeLink[]
  readonly key: Key
  readonly name: Uint8Array
  readonly strategy: Strategy
  readonly shape: ShapeWish
  readonly groups: GroupWish
  readonly algorithm: DigestAlgorithm
  readonly engine: 'native' | 'portable' | undefined
  readonly noClobber: boolean
  readonly keep: number | undefined
  readonly commit: CommitMode | undefined
  /** Criteria in canonical form. */
  readonly only: string | undefined
  readonly strict: boolean
  /** Read the source, also where an earlier push has written down its digests. */
  readonly verify: boolean
  readonly allowAdd: boolean
  readonly uplinkBytesPerSecond: number | undefined
  readonly connectMs: number
  readonly silenceMs: number
  readonly detection: Detection
  readonly demoteBelow: number | undefined
  readonly retries: number
  readonly rejoinMs: number
  readonly timeoutMs: number | undefined
  readonly minRateBytesPerSecond: number | undefined
  readonly share: TransferShare
  readonly sealing: Pick<Self, 'seal'>
  readonly wait: boolean
  readonly trace: string | undefined
  readonly dryRun: boolean
  readonly mirrors: readonly string[]
  readonly relays: readonly string[]
  readonly spareOrigin: boolean
  readonly tree: TreeWishes
  readonly coding: CodingWish
  /** Undefined: the content is all there. */
  readonly follow: FollowWish | undefined
  /** Undefined: the source is none of descriptors. */
  readonly descriptors: DescriptorWish | undefined
}

export const strategies = ['classic', 'adaptive'] as const
export const shapes = ['auto', 'unicast', 'group', 'chain', 'tree', 'binomial'] as const
export const engines = ['native', 'portable'] as const

export function checkPush(source: PushSource, options: PushOptions): CheckedPush {
  const checkedSource = checkSource(source)
  requireOptions('push', options)
  const nodes = checkTargets(options.to)
  const shape = oneOf('shape', options.shape, shapes) ?? 'auto'
  if (shape === 'unicast' && options.strategy === 'classic')
    throw new TypeError('strategy classic deals parts to a group, shape unicast makes none')
  const groups = checkGrouping(options)
  refuseUnsupported({ shape, groupSize: groups.groupSize, nodes: nodes.length })
  requireBoolean('noClobber', options.noClobber)
  requireBoolean('strict', options.strict)
  requireBoolean('verify', options.verify)
  requireBoolean('allowAdd', options.allowAdd)
  requireBoolean('wait', options.wait)
  requireBoolean('dryRun', options.dryRun)
  requireBoolean('spareOrigin', options.spareOrigin)
  const mirrors = checkHelpers('mirrors', options.mirrors, limits.helpersPerPush)
  const relays = checkRelays(options.relays, nodes)
  if (options.spareOrigin === true && mirrors.length === 0)
    throw new TypeError('spareOrigin needs mirrors')
  const commit = oneOf('commit', options.commit, commitModes)
  const { allowAdd = false } = options
  refuseWithCommit(commit, nodes, { mirrors: mirrors.length > 0, allowAdd })
  if (options.trace !== undefined) requireText('trace', options.trace)
  if (options.trace !== undefined && options.dryRun === true)
    throw new TypeError('trace records a push, and dryRun makes none')
  requireFunction('logger', options.logger)
  requireSignal(options.signal)
  const key = checkCredentials(options)
  const tree = checkTreeWishes(options)
  const descriptors = checkDescriptors(checkedSource, options, tree)
  const usualDigest = defaultDigest(key)
  const follow = checkFollow(checkedSource, options, tree, usualDigest)
  const { silenceMsMin, silenceMsMax } = limits
  const silenceMs =
    optionalInteger('silenceMs', options.silenceMs, silenceMsMin, silenceMsMax) ?? limits.silenceMs
  return {
    source: checkedSource,
    nodes,
    key,
    // Descriptors have names of their own.
    name: descriptors === undefined ? checkName(checkedSource, options.as) : new Uint8Array(),
    strategy: oneOf('strategy', options.strategy, strategies) ?? 'adaptive',
    // Other shapes have been refused.
    shape: shape as ShapeWish,
    groups,
    algorithm:
      oneOf('digest', options.digest, digestAlgorithms) ?? (follow ? 'blake3' : usualDigest),
    engine: oneOf('engine', options.engine, engines),
    noClobber: options.noClobber ?? false,
    keep: optionalInteger('keep', options.keep, 0, limits.versionsPerName),
    commit,
    only: checkOnly(options.only),
    strict: options.strict ?? false,
    verify: options.verify ?? false,
    allowAdd: options.allowAdd ?? false,
    uplinkBytesPerSecond: optionalRate('uplinkBytesPerSecond', options.uplinkBytesPerSecond),
    connectMs:
      optionalInteger('connectMs', options.connectMs, 1, limits.connectMsMax) ?? limits.reachMs,
    silenceMs,
    detection: checkDetection(options, silenceMs),
    demoteBelow: optionalShare('demoteBelow', options.demoteBelow),
    retries: optionalInteger('retries', options.retries, 0, limits.retriesMax) ?? limits.retries,
    rejoinMs:
      optionalInteger('rejoinMs', options.rejoinMs, 0, limits.rejoinMsMax) ?? limits.rejoinMs,
    timeoutMs: optionalInteger('timeoutMs', options.timeoutMs, 1, limits.timeoutMsMax),
    minRateBytesPerSecond: optionalRate('minRateBytesPerSecond', options.minRateBytesPerSecond),
    share: checkShare(options),
    sealing: sealOf(options),
    wait: options.wait ?? false,
    trace: options.trace,
    dryRun: options.dryRun ?? false,
    mirrors,
    relays,
    spareOrigin: options.spareOrigin ?? false,
    tree,
    coding: checkCoding(options),
    follow,
    descriptors,
  }
}

/** Throws TypeError that names the options. */
export function checkDetection(
  options: Pick<PushOptions, 'suspectAfterMs' | 'failAfterMs'>,
  silenceMs: number,
): Detection {
  const { suspectMsMin: least, silenceMsMax: most } = limits
  const suspectMs = optionalInteger('suspectAfterMs', options.suspectAfterMs, least, most)
  const failMs = optionalInteger('failAfterMs', options.failAfterMs, 2 * least, most)
  const detection = detectionOf(
    { ...(suspectMs && { suspectMs }), ...(failMs && { failMs }) },
    silenceMs,
  )
  const fault = detectionFault(detection, silenceMs)
  if (fault === null) return detection
  throw new TypeError(`suspectAfterMs, failAfterMs and silenceMs do not go together: ${fault}`)
}

/** Throws TypeError, also for one that is to have the file. */
export function checkRelays(addresses: PushOptions['relays'], to: readonly NodeLink[]): string[] {
  const relays = checkHelpers('relays', addresses, limits.helpersPerPush)
  for (const relay of relays)
    if (to.some(({ address }) => address.toLowerCase() === relay.toLowerCase()))
      throw new TypeError(`relays names ${relay}, which is to have the file`)
  return relays
}

/** Nodes that help with a push and are not to have the file. */
function checkHelpers(
  option: 'mirrors' | 'relays',
  addresses: readonly string[] = [],
  most: number,
): string[] {
  if (!Array.isArray(addresses)) throw new TypeError(`${option} must be a list of addresses`)
  if (addresses.length > most) throw new TypeError(`${option} must name at most ${most} nodes`)
  return addresses.map((address, i) => requireAddressText(address, `${option}[${i}]`))
}

export interface CheckedNode {
  readonly listen: { readonly host: string; readonly port: number }
  /** Empty: none. */
  readonly dataDirs: readonly string[]
  /** The only one is this, which nodes share. */
  readonly sharedDir: string | undefined
  readonly placement: 'whole' | 'striped'
  /** The first key is the one it dials with. */
  readonly keys: readonly Key[]
  readonly name: string | null
  readonly attributes: Attributes
  /** The same with its name, for peers. */
  readonly claims: Pick<Self, 'attributes'>
  readonly authorize: string | undefined
  readonly dropPrivileges: string | undefined
  readonly master: readonly string[] | undefined
  readonly directory: DirectoryPlace
  readonly mirror: boolean
  readonly advertise: string | undefined
  readonly engine: 'native' | 'portable' | undefined
  readonly minFreeBytes: number
  readonly keepPartialsSeconds: number
  readonly versions: VersionRules
  readonly wants: Wants
  /** Algorithm to hash files that lie in the data directory with; undefined: they stay unknown. */
  readonly adopt: DigestAlgorithm | undefined
  readonly readOnly: boolean
  /** Of one process of several; undefined: it is the only one. */
  readonly roles: readonly NodeRole[] | undefined
  readonly relayOnly: boolean
  readonly maxServes: number
  readonly limits: NodeLimits
  readonly sealing: Pick<Self, 'seal'>
  readonly accept: AcceptHook | undefined
}

/** Options of a node that has files. */
const ofFiles = [
  ...(['dataDir', 'placement', 'adopt', 'mirror', 'readOnly', 'maxServes', 'keep'] as const),
  ...(['roles'] as const),
  ...(['maxSpaceBytes', 'maxAgeSeconds', 'minVersions', 'master'] as const),
]

function placeOf({ parent = [], maxChildren, deputy }: NodeOptions): DirectoryPlace {
  const parents = [parent].flat().map((one) => dialable(one, 'parent'))
  if (parents.length > limits.parents)
    throw new TypeError(`parent must name at most ${limits.parents} nodes`)
  const most = optionalInteger('maxChildren', maxChildren, 1, limits.childrenMax)
  return {
    parents: [...new Set(parents)],
    maxChildren: most ?? limits.children,
    deputy: deputy === undefined ? null : dialable(deputy, 'deputy'),
  }
}

function mastersIn(given: string | readonly string[]): string[] {
  const addresses = [given].flat().map((one) => dialable(one, 'master'))
  if (addresses.length === 0 || addresses.length > limits.nodeMasters)
    throw new TypeError(`master must name 1 to ${limits.nodeMasters} masters`)
  return [...new Set(addresses)]
}

export function checkNode(options: NodeOptions): CheckedNode {
  requireOptions('startNode', options)
  requireText('listen', options.listen)
  requireBoolean('relayOnly', options.relayOnly)
  const { relayOnly = false } = options
  const dataDirs = relayOnly ? [] : checkDataDirs(options)
  for (const name of ofFiles)
    if (relayOnly && options[name] !== undefined && options[name] !== false)
      throw new TypeError(`${name} and relayOnly exclude each other: such a node has no files`)
  if (options.name !== undefined) requireText('name', options.name)
  for (const name of ['authorize', 'dropPrivileges'] as const)
    if (options[name] !== undefined) requireText(name, options[name])
  requireBoolean('adopt', options.adopt)
  requireBoolean('mirror', options.mirror)
  requireBoolean('readOnly', options.readOnly)
  if (options.readOnly === true && options.adopt === true)
    throw new TypeError('adopt and readOnly exclude each other: records are written')
  requireFunction('accept', options.accept)
  requireFunction('logger', options.logger)
  requireSignal(options.signal)
  const key = checkCredentials(options)
  if (options.previousKey !== undefined && options.key === undefined)
    throw new TypeError('previousKey needs key')
  const previous =
    options.previousKey === undefined ? [] : [checkKey('previousKey', options.previousKey)]
  return {
    listen: requireAddress(options.listen, 'listen'),
    dataDirs,
    sharedDir: checkShared(dataDirs, options),
    roles: checkRoles(options),
    placement: oneOf('placement', options.placement, placements) ?? 'whole',
    keys: [key, ...previous],
    name: options.name ?? null,
    attributes: { ...options.attributes },
    claims: checkAttributes(options.attributes, options.name),
    authorize: options.authorize,
    dropPrivileges: options.dropPrivileges,
    directory: placeOf(options),
    master: options.master === undefined ? undefined : mastersIn(options.master),
    mirror: options.mirror ?? false,
    readOnly: options.readOnly ?? false,
    relayOnly,
    advertise:
      options.advertise === undefined ? undefined : dialable(options.advertise, 'advertise'),
    engine: oneOf('engine', options.engine, engines),
    minFreeBytes: optionalInteger('minFreeBytes', options.minFreeBytes, 0) ?? limits.minFreeBytes,
    keepPartialsSeconds:
      optionalInteger('keepPartialsSeconds', options.keepPartialsSeconds, 0) ??
      limits.keepPartialsSeconds,
    versions: checkVersions(options),
    wants: checkWants(options),
    adopt: options.adopt === true ? defaultDigest(key) : undefined,
    maxServes:
      optionalInteger('maxServes', options.maxServes, 0, limits.servesPerNodeMax) ??
      limits.servesPerNode,
    limits: {
      ...checkRates(options),
      maxFeeds: optionalInteger('maxFeeds', options.maxFeeds, ...feedsPerNode),
    },
    sealing: nodeSealOf(options),
    accept: options.accept,
  }
}

/** What becomes of earlier versions. */
function checkVersions(options: NodeOptions): VersionRules {
  const { versionsPerName } = limits
  const maxAgeSeconds = optionalInteger('maxAgeSeconds', options.maxAgeSeconds, 0)
  return {
    keep: optionalInteger('keep', options.keep, 0, versionsPerName) ?? 0,
    maxBytes: optionalInteger('maxSpaceBytes', options.maxSpaceBytes, 0) ?? null,
    maxAgeMs: maxAgeSeconds === undefined ? null : maxAgeSeconds * 1000,
    least: optionalInteger('minVersions', options.minVersions, 0, versionsPerName) ?? 1,
  }
}

const feedsPerNode = [limits.feedsPerNodeMin, limits.feedsPerNodeMax] as const

interface RateOptions {
  limitUpBytesPerSecond?: number | undefined
  limitDownBytesPerSecond?: number | undefined
}

function checkRates(options: RateOptions): RateLimits {
  return {
    upBytesPerSecond: optionalLimit('limitUpBytesPerSecond', options.limitUpBytesPerSecond),
    downBytesPerSecond: optionalLimit('limitDownBytesPerSecond', options.limitDownBytesPerSecond),
  }
}

/** Undefined where nothing is said of it. */
export function checkShare(
  options: RateOptions & Pick<PushOptions, 'priority' | 'flows'>,
): TransferShare {
  const { priorityMin, priorityMax } = limits
  const priority = optionalInteger('priority', options.priority, priorityMin, priorityMax)
  const flows = checkFlows(options.flows)
  const share = { ...checkRates(options), priority, flows }
  return Object.fromEntries(Object.entries(share).filter(([, value]) => value !== undefined))
}

/** Undefined: as many as fill the way. */
export function checkFlows(flows: PushOptions['flows']): number | undefined {
  return optionalInteger('flows', flows === 'auto' ? undefined : flows, 1, limits.flowsPerFeed)
}

/** Anyone who can change packets can forge XXH64, so it is the default only without a key. */
function defaultDigest(key: Key): DigestAlgorithm {
  return key.isOpen ? 'xxh64' : 'blake3'
}

/**
 * The name at the nodes, as bytes; by default the last component of the path, if there is one.
 * Throws ERR_FR_NAME with the reason why no node could store it.
 */
function checkName(source: CheckedSource, as: string | Uint8Array | undefined): Uint8Array {
  if (as !== undefined && typeof as !== 'string' && !(as instanceof Uint8Array)) {
    throw new TypeError('as must be a string or a Uint8Array')
  }
  if (as === undefined && source.kind !== 'path')
    throw new TypeError('as must be given: the source has no name')
  // A directory may be written with a slash behind it.
  const path = source.kind === 'path' ? source.path.replace(/(?<=[^/])\/+$/, '') : ''
  const name = as ?? path.slice(path.lastIndexOf('/') + 1)
  const bytes = typeof name === 'string' ? new TextEncoder().encode(name) : Uint8Array.from(name)
  if (as === undefined && /^(?:|\.|\.\.)$/.test(name as string))
    throw new TypeError('path names no file')
  const fault = nameFault(bytes)
  if (fault === null) return bytes
  throw new FrError('ERR_FR_NAME', `${JSON.stringify(name)} cannot be stored: ${fault}`)
}
