/** A push with mirrors, from the parts of a push without. */
import type { CopyWish } from '../control/messages/copying.js'
import type { DataEngine, HashPool, SourceFile } from '../ports.js'
import type { PushAudience } from '../session/coordinator/attempt.js'
import type { PushSpec } from '../session/coordinator/push-spec.js'
import { addAt, copyAt, copyGroups, nameText, wholeRates, wholeShare } from './mirror-copy.js'
import { MirroredPush } from './mirrors.js'
import type { CheckedPush } from './options.js'
import { readWhole } from './read-whole.js'
import { wholeLink } from './targets.js'
import type { PushResult } from './types.js'

export interface MirroredParts {
  readonly checked: CheckedPush
  readonly spec: PushSpec
  readonly source: SourceFile
  readonly engine: DataEngine
  readonly pool: HashPool
  readonly pushing: (spec: PushSpec, audience: PushAudience) => Promise<PushResult>
  readonly audience: PushAudience
  readonly signal: AbortSignal
}

export function pushMirrored(parts: MirroredParts): Promise<PushResult> {
  const { checked, source, pushing, audience, signal } = parts
  let { spec } = parts
  const fileDigest = async (): Promise<string> => {
    // Later pushes need not read it again.
    spec = { ...spec, known: spec.known ?? (await readWhole({ ...parts, ...spec })) }
    return (spec.known as { fileDigest: string }).fileDigest
  }
  return new MirroredPush({
    transfer: spec.transfer,
    ...{ mirrors: checked.mirrors, spareOrigin: checked.spareOrigin, nodes: spec.nodes },
    bytes: source.size,
    known: spec.known?.fileDigest ?? null,
    wish: wishOf(spec, source),
    copy: (...asked) => copyAt(spec.dialler, ...asked),
    add: (...asked) => addAt(spec.dialler, signal, ...asked),
    push: (transfer, nodes, audience, mirrors) =>
      pushing({ ...spec, transfer, nodes, mirrors }, audience),
    ...{ fileDigest, audience, signal },
  }).run()
}

function wishOf(
  spec: PushSpec,
  source: SourceFile,
): Omit<CopyWish, 'transfer' | 'nodes' | 'content'> {
  const { strategy, shape, noClobber, strict, connectMs, silenceMs } = spec
  const { retries, rejoinMs } = spec
  const { seconds: mtimeSeconds, nanos: mtimeNanos } = source.mtime
  return {
    name: null,
    as: nameText(spec.name),
    attributes: { mode: source.mode & 0o7777, mtimeSeconds, mtimeNanos },
    ...{ strategy, shape, noClobber, strict, allowAdd: false, connectMs, silenceMs },
    ...{ retries, rejoinMs },
    timeoutMs: spec.timeoutMs ?? null,
    minRateBytesPerSecond: wholeRates(spec.minRateBytesPerSecond),
    uplinkBytesPerSecond: null,
    ...(spec.share && { share: spec.share }),
    ...wholeShare(spec.demoteBelow),
    ...(spec.detection && { detection: spec.detection }),
    // Where the mirror stands is not known.
    ...(spec.groups && { groups: copyGroups({ ...spec.groups, site: undefined }) }),
    ...(spec.relays && { relays: spec.relays.map(wholeLink) }),
    wait: spec.wait,
    ...(spec.only !== undefined && { only: spec.only }),
    ...(spec.dialler.self.seal && { sealed: true as const }),
    detach: false,
  }
}
