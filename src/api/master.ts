/** `createMaster`: a master in this process. */

import { Keeping } from '../agent/master/keeping.js'
import { type MasterDir, openMasterDir } from '../agent/master/master-dir.js'
import { MasterService } from '../agent/master/master-service.js'
import { questionsOf } from '../agent/master/questions.js'
import type { Peers } from '../agent/peers.js'
import { safeLogger } from '../base/log.js'
import { appliedSets } from '../control/copies/set-changes.js'
import { requireAddress } from '../net/address.js'
import { selfOf, signerOf } from '../net/crypto.js'
import { StateFiles } from '../store/master/state-files.js'
import { openPeers } from './authorized.js'
import { requireFunction, requireSignal, requireText } from './checks.js'
import { checkCredentials, checkKey } from './credentials.js'
import { networkIn, setsIn } from './documents.js'
import type { FrMaster, MasterOptions, MasterStatus } from './master-types.js'
import { requireOptions } from './option-names.js'
import { version } from './version.js'

/**
 * Resolves when the master listens. Rejects with TypeError for misuse and FrError otherwise:
 * ERR_FR_DOCUMENT, ERR_FR_DATA_DIR, ERR_FR_DATA_DIR_LOCKED, ERR_FR_LISTEN, ERR_FR_OPEN,
 * ERR_FR_PEERS, ERR_FR_KEY.
 */
export async function createMaster(options: MasterOptions): Promise<FrMaster> {
  const checked = checkMaster(options)
  const { signal, topology, sets, authorize } = options
  signal?.throwIfAborted()
  const log = safeLogger(options.logger)
  const read = {
    network: topology === undefined ? undefined : await networkIn(topology),
    sets: sets === undefined ? [] : await setsIn(sets),
  }
  const dir = await openMasterDir(options.dataDir)
  let peers: Peers | undefined
  let keeping: Keeping | undefined
  try {
    peers = await openPeers(authorize, checked.keys, log)
    const self = { ...selfOf(signerOf(dir.key)), ...peers?.gate }
    checked.keys[0]?.certificates?.logTo(log)
    const keeps = new Keeping(new StateFiles(dir.statePath), log)
    keeping = keeps
    const kept = await keeps.load()
    const service: MasterService = new MasterService({
      ...{ ...checked, self, peers, log },
      questions: questionsOf(
        () => service,
        () => keeps.flushed(),
        (node) => keeps.isDrained(node),
      ),
      ...(read.network && { topology: read.network.topology, ...read.network.scheduling }),
    })
    keeps.begin(service, kept)
    service.post({ type: 'sets', sets: appliedSets(kept.sets ?? [], read.sets, false) })
    await service.listen()
    if (checked.keys[0]?.isOpen) {
      const text = 'no key: every local user can be a node here'
      log({ level: 'warn', event: 'open-node', fields: { address: service.address, text } })
    }
    const master = new MasterObject(service, options, self.nodeId, { dir, peers, keeping: keeps })
    signal?.addEventListener('abort', () => void master.close(), { once: true })
    if (signal?.aborted) await master.close()
    signal?.throwIfAborted()
    return master
  } catch (error) {
    peers?.close()
    await keeping?.close()
    dir.unlock()
    throw error
  }
}

function checkMaster(options: MasterOptions) {
  requireOptions('createMaster', options)
  requireText('listen', options.listen)
  requireText('dataDir', options.dataDir)
  for (const name of ['topology', 'sets', 'authorize'] as const)
    if (options[name] !== undefined) requireText(name, options[name])
  requireFunction('logger', options.logger)
  requireSignal(options.signal)
  const { previousKey } = options
  if (previousKey !== undefined && options.key === undefined)
    throw new TypeError('previousKey needs key')
  const previous = previousKey === undefined ? [] : [checkKey('previousKey', previousKey)]
  const listen = requireAddress(options.listen, 'listen')
  return { listen, keys: [checkCredentials(options), ...previous] }
}

interface Owned {
  readonly dir: MasterDir
  readonly peers: Peers | undefined
  readonly keeping: Keeping
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
    const { master, nodes, counters, authority } = this.#service
    return {
      ...{ event: 'master', master: this.address, nodeId: this.nodeId, version },
      ...{ uptimeSeconds: (performance.now() - this.#startMs) / 1_000, nodes },
      ...{ sets: master.sets.length, contents: master.versions.count },
      ...{ copies: master.scheduler.copies.size, counters: { ...counters } },
      audit: authority.audit,
    }
  }

  async reload(): Promise<void> {
    const { sets } = this.#options
    if (sets !== undefined) {
      const read = await setsIn(sets)
      const applied = appliedSets(this.#service.master.sets, read, false)
      this.#service.post({ type: 'sets', sets: applied })
    }
    await this.#service.reload()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { peers, dir, keeping } = this.#owned
    await this.#service.close()
    await keeping.close()
    peers?.close()
    dir.unlock()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
