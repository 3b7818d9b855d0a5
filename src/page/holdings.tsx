/** What a node holds, searched by a pattern of names. */
import { useState } from 'preact/hooks'
import { textOf } from './api.js'
import { bytesText, countText, durationText, pathOf } from './format.js'
import type { NodeModel } from './model.js'
import { Bar, Card, Empty, Heads, Notice, Scroll, Search, State } from './parts.js'
import { useTask } from './store.js'
import type { HeldFile } from './told.js'

const rowsMax = 200
/** In the document at once. */
const rowsShown = 2_000
const typingMs = 250

interface Listed {
  readonly items: readonly HeldFile[]
  readonly isWhole: boolean
  /** Where it goes on; null: these are all. */
  readonly next: string | null
}

export function HoldingsView({ model }: { readonly model: NodeModel }) {
  const [wanted, want] = useState('')
  const [listed, set] = useState<Listed | null>(null)
  const [fault, say] = useState<string | null>(null)
  const [asked, again] = useState(0)
  const load = async (signal: AbortSignal): Promise<void> => {
    try {
      set(await model.api.get<Listed>(`/holdings?${queryOf(wanted)}`, signal))
      say(null)
    } catch (error) {
      if (!signal.aborted) say(textOf(error))
    }
  }
  useTask(
    (signal) => {
      const timer = setTimeout(() => void load(signal), typingMs)
      signal.addEventListener('abort', () => clearTimeout(timer))
    },
    // What has come or gone is listed anew.
    [wanted, asked, model.status?.held.files],
  )
  const more = async (): Promise<void> => {
    if (!listed?.next) return
    try {
      const after = `&after=${encodeURIComponent(listed.next)}`
      const told = await model.api.get<Listed>(`/holdings?${queryOf(wanted)}${after}`)
      set({ ...told, items: [...listed.items, ...told.items] })
    } catch (error) {
      say(textOf(error))
    }
  }
  const remove = async (name: string): Promise<void> => {
    if (!confirm(`Remove ${name} from this node?`)) return
    try {
      await model.api.send('DELETE', `/holdings/${pathOf(name)}`)
    } catch (error) {
      say(textOf(error))
    }
    again((count) => count + 1)
  }
  return (
    <Card
      title="Holdings"
      aside={
        <Search
          label="Search names: text, or a pattern with * and ?"
          hint="name, or pattern: films/*.mp4"
          value={wanted}
          onChange={want}
        />
      }
      class="only"
    >
      <h1 class="unseen">Holdings</h1>
      {fault !== null && <Notice tone="bad">{fault}</Notice>}
      {listed === null && fault === null && <Empty>Asking…</Empty>}
      {listed?.items.length === 0 && (
        <Empty>{wanted === '' ? 'This node holds nothing yet.' : 'No name matches.'}</Empty>
      )}
      {listed !== null && listed.items.length > 0 && (
        <Scroll label="What the node holds">
          <table>
            <Heads
              titles={['Name', 'State', 'Size', 'Age', 'Digest']}
              minor={['Age', 'Digest']}
              hasActions
            />
            <tbody>
              {listed.items.map((item) => (
                <HeldRow key={`${item.name} ${item.version}`} item={item} onRemove={remove} />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      {listed !== null && (
        <p class="hint">
          {countText(listed.items.length, 'entry', 'entries')}
          {!listed.isWhole && '; there are more: search for a part of the name, or'}
        </p>
      )}
      {listed !== null && !listed.isWhole && listed.items.length < rowsShown && (
        <button type="button" class="quiet" onClick={() => void more()}>
          Show more
        </button>
      )}
    </Card>
  )
}

/** Text without `*`, `?` and `[` is looked for anywhere in names. */
function queryOf(wanted: string): string {
  const query = new URLSearchParams({ limit: String(rowsMax) })
  if (wanted !== '') query.set('glob', /[*?[]/.test(wanted) ? wanted : `**/*${wanted}*`)
  return query.toString()
}

interface HeldRowProps {
  readonly item: HeldFile
  readonly onRemove: (name: string) => Promise<void>
}

function HeldRow({ item, onRemove }: HeldRowProps) {
  const { name, nameBase64, kind, state, bytes, heldBytes, entries, digest, ageSeconds } = item
  const isFile = kind === 'file' && state === 'held' && nameBase64 === null
  return (
    <tr>
      <th scope="row">
        {isFile ? <a href={`/files/${pathOf(name)}`}>{name}</a> : name}
        {kind !== 'file' && (
          <small>
            {` ${kind}`}
            {entries !== null && `, ${countText(entries, 'entry', 'entries')}`}
          </small>
        )}
      </th>
      <td>
        <State state={state} />
        {state === 'partial' && bytes > 0 && (
          <Bar label={`What is here of ${name}`} share={heldBytes / bytes} tone="warn" />
        )}
      </td>
      <td>{bytesText(bytes)}</td>
      <td class="minor">{durationText(ageSeconds)}</td>
      <td class="minor">
        <code title={digest ?? ''}>{digest?.slice(0, 12) ?? '–'}</code>
      </td>
      <td class="actions">
        {isFile && (
          <a class="button quiet" href={`#/send/${encodeURIComponent(name)}`}>
            Copy to…
          </a>
        )}
        {nameBase64 === null && (
          <button type="button" class="quiet" onClick={() => void onRemove(name)}>
            Remove
          </button>
        )}
      </td>
    </tr>
  )
}
