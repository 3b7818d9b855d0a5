/** `startNode`: a node in this process. */
import { EventEmitter } from 'node:events'
import { mkdtemp, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster } from '../agent/cluster.js'
import { type OpenedDirs, openDataDirs } from '../agent/data-dirs.js'
import { type EngineHolder, openEngine } from '../agent/engines.js'
import { NodeMaster } from '../agent/master/node-master.js'
import { NodeService } from '../agent/node-service.js'
import type { ContentsOf } from '../agent/opened-content.js'
import type { Peers } from '../agent/peers.js'
import { Privileges } from '../agent/privileges.js'
import { type ClusterPlace, openShared, openView } from '../agent/shared-dir.js'
import { openStripes } from '../agent/striped-disk.js'
import { NodeSwarm } from '../agent/swarm/node-swarm.js'
import type { Attributes } from '../base/attributes.js'
import { FrError } from '../base/errors.js'
import { type Logger, safeLogger } from '../base/log.js'
import type { AttributesChange } from '../control/messages/directory.js'
import { WorkerHashPool } from '../engine/hashing/pool.js'
import { selfOf, signerOf } from '../net/crypto.js'
import type { Self } from '../net/handshake.js'
import type { Storage } from '../ports.js'
import type { Audience } from '../session/receiver/acceptance.js'
import { nodeKey, storedNodeKey } from '../store/identity.js'
import { checkAttributes } from './attributes.js'
import { hasList, openPeers } from './authorized.js'
import { openIn, openTreeIn } from './open.js'
import type { OpenContent, OpenTree } from './open-types.js'
import { type CheckedNode, checkNode } from './options.js'
import { boundedJson } from './status-json.js'
import { tell } from './tell.js'
import type { FrNode, NodeEvents, NodeOptions, NodeRole, NodeStatus } from './types.js'
import { version } from './version.js'

/**
 * Resolves when the node listens. Rejects with TypeError for misuse and FrError otherwise:
 * ERR_FR_DATA_DIR, ERR_FR_DATA_DIR_LOCKED, ERR_FR_CATALOGUE, ERR_FR_LISTEN, ERR_FR_OPEN,
 * ERR_FR_KEY, ERR_FR_ENGINE, ERR_FR_PRIVILEGES.
 */
export async function startNode(options: NodeOptions): Promise<FrNode> {
  const checked = checkNode(options)
  options.signal?.throwIfAborted()
  const log = safeLogger(options.logger)
  const { dropPrivileges: user } = checked
  const privileges = user === undefined ? undefined : Privileges.assume(user)
  try {
    const node = await openWith(checked, log, privileges)
    const { signal } = options
    if (signal !== undefined) {
      const onAbort = (): void => void node.close()
      signal.addEventListener('abort', onAbort, { once: true })
      node.onClosed = () => signal.removeEventListener('abort', onAbort)
      if (signal.aborted) {
        await node.close()
        signal.throwIfAborted()
      }
    }
    return node
  } catch (error) {
    privileges?.restore()
    throw error
  }
}

async function openWith(
  checked: CheckedNode,
  log: Logger,
  privileges: Privileges | undefined,
): Promise<NodeObject> {
  const holder = await openEngine(checked.engine, log)
  try {
    return await openNode(checked, holder, log, privileges)
  } catch (error) {
    await holder.engine.shutdown()
    throw error
  }
}

async function openNode(
  checked: CheckedNode,
  holder: EngineHolder,
  log: Logger,
  privileges: Privileges | undefined,
): Promise<NodeObject> {
  const { engine, router } = holder
  const { relayOnly: isRelayOnly } = checked
  const { sharedDir, name, roles } = checked
  const isView = roles !== undefined && !roles.includes('distribute')
  const isReadOnly = checked.readOnly || isRelayOnly || isView
  const { storage } = engine
  const view = isView ? await openView(storage, sharedDir ?? '', name) : undefined
  const shared =
    sharedDir === undefined || isView ? undefined : await openShared(storage, sharedDir, name)
  const own = view?.dir ?? shared?.dir
  const { dirs, missing } = isRelayOnly
    ? await openNothing(storage)
    : own !== undefined
      ? { dirs: [own], missing: [] }
      : await openDataDirs(storage, checked.dataDirs, isReadOnly)
  const opened = dirs.map(({ dir }) => dir)
  const closeDirs = (): void => {
    for (const dir of opened) storage.closeDataDir(dir)
  }
  const pool = new WorkerHashPool()
  let peers: Peers | undefined
  try {
    const isStriping = checked.placement === 'striped' && !isRelayOnly
    const first = dirs[0]?.dataDir ?? ''
    const striped =
      isRelayOnly || own !== undefined
        ? undefined
        : await openStripes(storage, first, isStriping, isReadOnly)
    if (striped !== undefined) opened.push(striped.dir)
    const { key, isNew } = await (isReadOnly && !isView ? storedNodeKey : nodeKey)(first)
    const { advertise } = checked
    const at = advertise !== undefined && { advertise }
    peers = await openPeers(checked.authorize, checked.keys, log)
    const self: Self & { attributes?: Attributes } = {
      ...selfOf(signerOf(key)),
      ...at,
      ...checked.sealing,
      ...checked.claims,
      ...peers?.gate,
    }
    const { nodeId } = self
    if (isNew) {
      const text =
        'this data directory came from another machine, is a copy, or lost its key: a new identity'
      log({ level: 'warn', event: 'new-identity', fields: { nodeId, text } })
    }
    const { listen, keys, minFreeBytes, keepPartialsSeconds, maxServes, accept, adopt } = checked
    const { versions } = checked
    keys[0]?.certificates?.logTo(log)
    const statusJson = (): string => boundedJson(node.status())
    const spec = {
      directory: checked.directory,
      engine,
      router,
      pool,
      dirs,
      missing,
      striped,
      shared,
      places: view?.places,
      cluster: clusterOf(roles, view?.cluster ?? shared?.cluster, log),
      listen,
      keys,
      self,
      minFreeBytes,
      keepPartialsSeconds,
      versions,
      isReadOnly,
      isRelayOnly,
      adopt,
      maxServes,
      limits: checked.limits,
      log,
      peers,
      privileges,
      audience: {
        accept,
        offered: (offer) => tell(() => node.emit('offer', offer)),
        published: (publication) => tell(() => node.emit('published', publication)),
        failed: (failure) => tell(() => node.emit('failed', failure)),
      } satisfies Audience,
      statusJson,
      describe: (change: AttributesChange) => node.describe(change),
      advertise,
      announcementsIn: isReadOnly || shared !== undefined ? null : first,
    }
    const service = new NodeService(spec)
    const said = (attributes: Attributes | undefined): void => {
      self.attributes = attributes ?? {}
      service.directory.setAttributes(self.attributes)
    }
    const node = new NodeObject(service, checked, nodeId, said, async () => {
      peers?.close()
      await pool.close()
      closeDirs()
      await engine.shutdown()
    })
    hasList(node, peers)
    await service.listen()
    node.address = service.address
    if (checked.master !== undefined) {
      const { master: addresses, dataDirs } = checked
      const keptIn = isReadOnly ? null : (dataDirs[0] as string)
      const required = (): void => node.required()
      node.serve(new NodeMaster(service, { addresses, advertise, keptIn, log, required }))
    }
    if (!isRelayOnly) {
      const { announcementsIn: keptIn } = spec
      const { wants } = checked
      const isRequired = (name: string): boolean | null => node.requires(name)
      const pulling = { nodeId, advertise, isReadOnly, wants, isRequired, keptIn, log }
      await node.pulls(new NodeSwarm(service, pulling))
    }
    if (keys[0]?.isOpen) {
      const what = isRelayOnly ? 'send through this node' : isReadOnly ? 'read here' : 'write here'
      const text = `no key: every local user can ${what}`
      log({ level: 'warn', event: 'open-node', fields: { address: node.address, text } })
    }
    return node
  } catch (error) {
    peers?.close()
    await pool.close()
    closeDirs()
    throw error
  }
}

/** Undefined: the process is the only one, or takes nothing and hands nothing over. */
function clusterOf(
  roles: readonly NodeRole[] | undefined,
  place: ClusterPlace | undefined,
  log: Logger,
): Cluster | undefined {
  const role = (['distribute', 'control'] as const).find((one) => roles?.includes(one))
  return place && role && new Cluster({ ...place, role, log })
}

/** A data directory for a node that has none: an empty one, which no path leads to. */
async function openNothing(storage: Storage): Promise<OpenedDirs> {
  const dataDir = await mkdtemp(join(tmpdir(), 'fr-relay-'))
  try {
    const dir = await storage.openDataDir(dataDir, true)
    return { dirs: [{ dir, dataDir, number: 0 }], missing: [] }
  } finally {
    await rmdir(dataDir)
  }
}

class NodeObject extends EventEmitter<NodeEvents> implements FrNode {
  address = ''
  readonly nodeId: string
  onClosed: () => void = () => {}
  readonly #service: NodeService
  readonly #checked: CheckedNode
  readonly #release: () => Promise<void>
  readonly #said: (attributes: Attributes | undefined) => void
  #attributes: Attributes
  readonly #startMs = performance.now()
  #master: NodeMaster | undefined
  #swarm: NodeSwarm | undefined
  #closing: Promise<void> | undefined

  constructor(
    service: NodeService,
    checked: CheckedNode,
    nodeId: string,
    said: (attributes: Attributes | undefined) => void,
    release: () => Promise<void>,
  ) {
    super()
    this.#service = service
    this.#checked = checked
    this.nodeId = nodeId
    this.#release = release
    this.#said = said
    this.#attributes = checked.attributes
  }

  pulls(swarm: NodeSwarm): Promise<void> {
    this.#swarm = swarm
    return swarm.start()
  }

  serve(master: NodeMaster): void {
    this.#master = master
    master.start()
  }

  /** Its master wants this name here; null: that is not known yet. */
  requires(name: string): boolean | null {
    return this.#master === undefined ? false : this.#master.requires(name)
  }

  required(): void {
    this.#swarm?.required()
  }

  status(): NodeStatus {
    const { engine, disks, views } = this.#service
    return {
      event: 'status',
      node: this.address,
      nodeId: this.nodeId,
      name: this.#checked.name,
      attributes: this.#attributes,
      mirror: this.#checked.mirror,
      readOnly: this.#service.disks.isReadOnly,
      relayOnly: this.#checked.relayOnly,
      directory: this.#service.directory.status,
      master: this.#master?.status ?? null,
      pulls: this.#swarm?.status ?? [],
      version,
      uptimeSeconds: (performance.now() - this.#startMs) / 1000,
      engine: engine.kind,
      dataDir: this.#checked.dataDirs[0] ?? '',
      ...disks.summary,
      ...this.#service.limited.status,
      ...views,
      audit: this.#service.authority.audit,
      counters: { ...views.counters, ...engine.counters() },
    }
  }

  setAttributes(attributes: Attributes): void {
    const { attributes: said } = checkAttributes(attributes, this.#checked.name ?? undefined)
    this.#attributes = { ...attributes }
    this.#said(said)
  }

  /** As a client asks. Returns all attributes; throws ERR_FR_LIMIT where they are too many. */
  describe({ set, unset }: AttributesChange): Attributes {
    const kept = Object.entries(this.#attributes).filter(([key]) => !unset.includes(key))
    const attributes = { ...Object.fromEntries(kept), ...set }
    try {
      this.setAttributes(attributes)
    } catch (error) {
      throw new FrError('ERR_FR_LIMIT', (error as Error).message)
    }
    return attributes
  }

  open(name: string | Uint8Array): Promise<OpenContent> {
    const { engine, sha256s, disks } = this.#service
    const play: ContentsOf['play'] = (...content) => this.#swarm?.contentOf(...content)?.play()
    const contents = { engine, sha256s, disks, play }
    return openIn(this.#closing === undefined ? contents : null, name)
  }

  openTree(name: string | Uint8Array): Promise<OpenTree> {
    return openTreeIn(this.#closing === undefined ? this.#service : null, name)
  }

  reload(): Promise<void> {
    return this.#service.reload()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#swarm?.close()
    await this.#master?.close()
    await this.#service.close()
    this.onClosed()
    await this.#release()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
