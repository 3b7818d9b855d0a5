/** Files of the node's machine, below directories that its door was given, to choose from. */
import { useState } from 'preact/hooks'
import { type Api, textOf } from './api.js'
import { bytesText } from './format.js'
import { Empty, Notice } from './parts.js'
import { useTask } from './store.js'
import type { SourcesTold } from './told.js'

const rowsMax = 200

interface SourcesProps {
  readonly api: Api
  /** Of a directory, too: all of it may be sent. */
  readonly onPick: (path: string) => void
}

export function Sources({ api, onPick }: SourcesProps) {
  /** Directories that were gone down; none: those of the door. */
  const [way, go] = useState<readonly string[]>([])
  const [listed, set] = useState<SourcesTold | null>(null)
  const [fault, say] = useState<string | null>(null)
  const at = way.at(-1)
  const ask = (after?: string, signal?: AbortSignal): Promise<SourcesTold> => {
    const query = new URLSearchParams({ limit: String(rowsMax) })
    if (at !== undefined) query.set('path', at)
    if (after !== undefined) query.set('after', after)
    return api.get<SourcesTold>(`/sources?${query}`, signal)
  }
  useTask(
    async (signal) => {
      set(null)
      say(null)
      try {
        set(await ask(undefined, signal))
      } catch (error) {
        if (!signal.aborted) say(textOf(error))
      }
    },
    [api, at],
  )
  const more = async (next: string): Promise<void> => {
    try {
      const told = await ask(next)
      // Not where somebody has gone elsewhere meanwhile.
      set((now) => (now?.next === next ? { ...told, items: [...now.items, ...told.items] } : now))
    } catch (error) {
      say(textOf(error))
    }
  }
  const open = (path: string): void => {
    go([...way, path])
    onPick(path)
  }
  return (
    <section class="sources" aria-label="Files of its machine">
      {at !== undefined && (
        <p>
          <button type="button" class="quiet" onClick={() => go(way.slice(0, -1))}>
            Up
          </button>{' '}
          <code>{at}</code>
        </p>
      )}
      {fault !== null && <Notice tone="bad">{fault}</Notice>}
      {listed === null && fault === null && <Empty>Asking…</Empty>}
      {listed?.items.length === 0 && <Empty>There is nothing to send in it.</Empty>}
      <ul class="list">
        {listed?.items.map(({ name, path, kind, bytes }) => (
          <li key={path} class="row">
            <button
              type="button"
              class="plain row-name"
              onClick={() => (kind === 'file' ? onPick(path) : open(path))}
            >
              {kind === 'file' ? name : `${name}/`}
            </button>
            <span>{kind === 'file' && bytesText(bytes)}</span>
          </li>
        ))}
      </ul>
      {listed !== null && listed.next !== null && (
        <button type="button" class="quiet" onClick={() => void more(listed.next as string)}>
          Show more
        </button>
      )}
    </section>
  )
}
