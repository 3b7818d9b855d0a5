/** A push of what the node has: of its holdings, or a file of its machine. */
import { useState } from 'preact/hooks'
import { rateIn } from '../base/units.js'
import { textOf } from './api.js'
import type { NodeModel } from './model.js'
import { Card, Notice } from './parts.js'
import { Sources } from './sources.js'
import { useTask } from './store.js'
import { addressesIn, Targets } from './targets.js'
import type { HeldFile, TransferTold } from './told.js'

const suggestions = 100

interface CopyProps {
  readonly model: NodeModel
  /** What is to be copied, where that is known. */
  readonly name: string
}

type Source = 'copy' | 'push'

export function CopyForm({ model, name: given }: CopyProps) {
  const [kind, setKind] = useState<Source>('copy')
  const [name, setName] = useState(given)
  const [path, setPath] = useState('')
  const [to, setTo] = useState('')
  const [limit, setLimit] = useState('')
  const [fault, say] = useState<string | null>(null)
  const [isBusy, busy] = useState(false)
  const [held, setHeld] = useState<readonly HeldFile[]>([])
  useTask(
    async (signal) => {
      const query = `/holdings?limit=${suggestions}`
      const found = await model.api.get<{ items: HeldFile[] }>(query, signal).catch(() => null)
      if (found !== null) setHeld(found.items.filter(({ nameBase64 }) => nameBase64 === null))
    },
    [model, model.status?.held.files],
  )
  const start = async (): Promise<void> => {
    const rate = limit.trim() === '' ? null : rateIn(limit.trim())
    if (typeof rate === 'string') {
      say(rate)
      return
    }
    busy(true)
    say(null)
    try {
      const told = await model.api.send<TransferTold>('POST', '/transfers', {
        ...(kind === 'copy' ? { kind, name } : { kind, path }),
        to: addressesIn(to),
        ...(rate !== null && { limitUpBytesPerSecond: rate }),
      })
      await model.refresh().catch(() => {})
      location.hash = `#/transfers/${told.id}`
    } catch (error) {
      say(textOf(error))
    } finally {
      busy(false)
    }
  }
  const isReady = addressesIn(to).length > 0 && (kind === 'copy' ? name : path) !== ''
  return (
    <Card title="What this node has">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void start()
        }}
      >
        <fieldset class="ways">
          <legend>Where it is</legend>
          <label>
            <input
              type="radio"
              name="kind"
              checked={kind === 'copy'}
              onChange={() => setKind('copy')}
            />
            Among its holdings
          </label>
          <label>
            <input
              type="radio"
              name="kind"
              checked={kind === 'push'}
              onChange={() => setKind('push')}
            />
            Elsewhere on its machine
          </label>
        </fieldset>
        {kind === 'copy' ? (
          <label>
            Name
            <input
              list="held-names"
              value={name}
              onInput={({ currentTarget }) => setName(currentTarget.value)}
            />
            <datalist id="held-names">
              {held.map((one) => (
                <option key={`${one.name} ${one.version}`} value={one.name} />
              ))}
            </datalist>
          </label>
        ) : (
          <>
            <label>
              Path, below a directory that the door was given (--http-source)
              <input
                value={path}
                placeholder="build/app.tar"
                onInput={({ currentTarget }) => setPath(currentTarget.value)}
              />
            </label>
            <Sources api={model.api} onPick={setPath} />
          </>
        )}
        <Targets model={model} text={to} onText={setTo} />
        <label>
          At most, from this node (may be empty)
          <input
            value={limit}
            placeholder="25MB/s"
            onInput={({ currentTarget }) => setLimit(currentTarget.value)}
          />
        </label>
        {fault !== null && <Notice tone="bad">{fault}</Notice>}
        <button type="submit" disabled={!isReady || isBusy}>
          Start
        </button>
      </form>
    </Card>
  )
}
