/** `createMaster`: a master in this process. */

import { Keeping } from '../agent/master/keeping.js'
import { type MasterDir, openMasterDir } from '../agent/master/master-dir.js'
import { MasterService } from '../agent/master/master-service.js'
import { joinMasters, type OneOfSeveral } from '../agent/master/one-of-several.js'
import { questionsOf } from '../agent/master/questions.js'
import { Reigns } from '../agent/master/reigns.js'
import type { Peers } from '../agent/peers.js'
import { safeLogger } from '../base/log.js'
import { withOwnSets } from '../control/copies/set-changes.js'
import type { FileSet } from '../control/messages/file-sets.js'
import { requireAddress } from '../net/address.js'
import { selfOf, signerOf } from '../net/crypto.js'
import { statePlaceIn } from '../store/leading/state-place.js'
import { StateFiles } from '../store/master/state-files.js'
import { hasList, openPeers } from './authorized.js'
import { requireFunction, requireSignal, requireText } from './checks.js'
import { checkCredentials, checkKey } from './credentials.js'
import { networkIn, setsIn } from './documents.js'
import type { FrMaster, MasterOptions, MasterStatus } from './master-types.js'
import { requireOptions } from './option-names.js'
import { version } from './version.js'

/**
 * Resolves when the master listens. Rejects with TypeError for misuse and FrError otherwise:
 * ERR_FR_DOCUMENT, ERR_FR_DATA_DIR, ERR_FR_DATA_DIR_LOCKED, ERR_FR_LISTEN, ERR_FR_OPEN,
 * ERR_FR_PEERS, ERR_FR_KEY; where the state cannot be opened ERR_FR_AUTH, ERR_FR_UNSUPPORTED,
 * ERR_FR_NO_SPACE. Where it is not there yet, the master listens, and waits for it.
 */
export async function createMaster(options: MasterOptions): Promise<FrMaster> {
  const checked = checkMaster(options)
  const { signal, topology, sets, authorize } = options
  signal?.throwIfAborted()
  const log = safeLogger(options.logger)
  const read = {
    network: topology === undefined ? undefined : await networkIn(topology),
    sets: sets === undefined ? null : await setsIn(sets),
  }
  const dir = await openMasterDir(options.dataDir)
  let peers: Peers | undefined
  let keeping: Keeping | undefined
  let reigns: Reigns | undefined
  let several: OneOfSeveral | undefined
  let listening: MasterService | undefined
  try {
    peers = await openPeers(authorize, checked.keys, log)
    const self = { ...selfOf(signerOf(dir.key)), ...peers?.gate }
    checked.keys[0]?.certificates?.logTo(log)
    const own = { sets: read.sets }
    const keeps = checked.state === null ? new Keeping(new StateFiles(dir.statePath), log) : null
    keeping = keeps ?? undefined
    const kept = await keeps?.load()
    const flushing = (): Pick<Keeping, 'flushed' | 'isDrained'> => keeps ?? (reigns as Reigns)
    const service: MasterService = new MasterService({
      ...{ ...checked, self, peers, log },
      questions: questionsOf(
        () => service,
        () => flushing().flushed(),
        (node) => flushing().isDrained(node),
      ),
      ...(read.network && { topology: read.network.topology, ...read.network.scheduling }),
      ...(keeps === null && { leader: () => several?.leader ?? null }),
    })
    if (keeps !== null && kept !== undefined) {
      keeps.begin(service, kept)
      service.post({ type: 'sets', sets: withOwnSets(kept.sets ?? [], own.sets) })
    }
    await service.listen()
    listening = service
    if (checked.state !== null) {
      const address = options.advertise ?? service.address
      reigns = new Reigns(service, log, () => own.sets)
      several = await joinMasters(checked.state, { address, reigns, log, options })
    }
    if (checked.keys[0]?.isOpen) {
      const text = 'no key: every local user can be a node here'
      log({ level: 'warn', event: 'open-node', fields: { address: service.address, text } })
    }
    const owned = { dir, peers, keeping: keeps, several, own }
    const master = new MasterObject(service, options, self.nodeId, owned)
    hasList(master, peers)
    signal?.addEventListener('abort', () => void master.close(), { once: true })
    if (signal?.aborted) await master.close()
    signal?.throwIfAborted()
    return master
  } catch (error) {
    peers?.close()
    await several?.close()
    await listening?.close()
    await keeping?.close()
    dir.unlock()
    throw error
  }
}

function checkMaster(options: MasterOptions) {
  requireOptions('createMaster', options)
  requireText('listen', options.listen)
  requireText('dataDir', options.dataDir)
  for (const name of ['topology', 'sets', 'authorize', 'state', 'stateFile', 'advertise'] as const)
    if (options[name] !== undefined) requireText(name, options[name])
  requireFunction('logger', options.logger)
  requireSignal(options.signal)
  const { previousKey, state, stateFile, advertise } = options
  if (state === undefined && (stateFile !== undefined || advertise !== undefined))
    throw new TypeError('stateFile and advertise are for one of several masters: they need state')
  if (advertise !== undefined) requireAddress(advertise, 'advertise')
  if (previousKey !== undefined && options.key === undefined)
    throw new TypeError('previousKey needs key')
  const previous = previousKey === undefined ? [] : [checkKey('previousKey', previousKey)]
  const listen = requireAddress(options.listen, 'listen')
  const place = state === undefined ? null : statePlaceIn(state)
  return { listen, state: place, keys: [checkCredentials(options), ...previous] }
}

interface Owned {
  readonly dir: MasterDir
  readonly peers: Peers | undefined
  /** Null: its state is where other masters find it. */
  readonly keeping: Keeping | null
  readonly several: OneOfSeveral | undefined
  /** Sets of its directory; null: it has none. */
  readonly own: { sets: readonly FileSet[] | null }
}

class MasterObject implements FrMaster {
  readonly address: string
  readonly nodeId: string
  readonly #service: MasterService
  readonly #options: MasterOptions
  readonly #owned: Owned
  readonly #startMs = performance.now()
  #closing: Promise<void> | undefined

  constructor(service: MasterService, options: MasterOptions, nodeId: string, owned: Owned) {
    this.address = service.address
    this.nodeId = nodeId
    this.#service = service
    this.#options = options
    this.#owned = owned
  }

  status(): MasterStatus {
    const { reign, nodes, counters, authority } = this.#service
    const master = reign?.master
    return {
      ...{ event: 'master', master: this.address, nodeId: this.nodeId, version },
      ...{ uptimeSeconds: (performance.now() - this.#startMs) / 1_000, nodes },
      ...{ leads: reign !== null, leader: this.#owned.several?.leader ?? null },
      ...{ sets: master?.sets.length ?? 0, contents: master?.versions.count ?? 0 },
      ...{ copies: master?.scheduler.copies.size ?? 0, counters: { ...counters } },
      audit: authority.audit,
    }
  }

  async reload(): Promise<void> {
    const { sets } = this.#options
    if (sets !== undefined) {
      const read = await setsIn(sets)
      this.#owned.own.sets = read
      const reign = this.#service.reign
      reign?.post({ type: 'sets', sets: withOwnSets(reign.master.sets, read) })
    }
    await this.#service.reload()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { peers, dir, keeping, several } = this.#owned
    await several?.close()
    await this.#service.close()
    await keeping?.close()
    peers?.close()
    dir.unlock()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
