/** What every page has: its head, the way to its views, and the question for a token. */
import type { ComponentChildren } from 'preact'
import { useEffect, useReducer, useState } from 'preact/hooks'
import type { Api, Connection } from './api.js'
import { switchTheme, useTheme } from './theme.js'

export interface View {
  /** After `#/`. */
  readonly path: string
  readonly title: string
}

interface ShellProps {
  readonly api: Api
  readonly connection: Connection
  readonly name: string
  readonly about: string
  readonly views: readonly View[]
  readonly at: string
  readonly children: ComponentChildren
}

/** What stands after `#/`, without what is in it of names. */
export function useRoute(): readonly string[] {
  const [route, set] = useState(routeNow())
  useEffect(() => {
    const changed = (): void => set(routeNow())
    addEventListener('hashchange', changed)
    return () => removeEventListener('hashchange', changed)
  }, [])
  return route
}

function routeNow(): readonly string[] {
  return location.hash.replace(/^#\/?/, '').split('/')
}

export function Shell({ api, connection, name, about, views, at, children }: ShellProps) {
  const [, draw] = useReducer((count: number) => count + 1, 0)
  const theme = useTheme()
  useEffect(() => {
    api.onWanted = () => draw(0)
    if (api.wanted !== null) draw(0)
  }, [api])
  const view = views.find(({ path }) => path === at) ?? views[0]
  useEffect(() => {
    document.title = name === '' ? 'fastreplica' : `${name} · ${view?.title} · fastreplica`
  }, [name, view])
  const isAsking = api.wanted !== null
  return (
    <>
      <button type="button" class="skip" onClick={toMain}>
        Skip to what is shown
      </button>
      <header class="top">
        <span class="brand">
          <img src="/page/icon.svg" alt="" width="28" height="28" />
          <span>fastreplica</span>
        </span>
        <span class="whose">
          <strong>{name}</strong>
          <small>{about}</small>
        </span>
        <span class={`connection ${isAsking ? 'lost' : connection}`} role="status">
          {isAsking ? 'needs a token' : connection}
        </span>
        {api.hasToken && (
          <button type="button" class="quiet forget" onClick={() => api.setToken(null)}>
            Forget token
          </button>
        )}
        <button type="button" class="quiet" onClick={switchTheme}>
          {theme === 'dark' ? 'Light' : 'Dark'}
        </button>
      </header>
      <nav class="views" aria-label="Views">
        {views.map(({ path, title }) => (
          <a key={path} href={`#/${path}`} {...(path === view?.path && { 'aria-current': 'page' })}>
            {title}
          </a>
        ))}
      </nav>
      <main id="main" tabIndex={-1}>
        {isAsking ? <TokenAsked api={api} /> : children}
      </main>
    </>
  )
}

/** By no link: the address after `#` is that of a view. */
function toMain(): void {
  document.getElementById('main')?.focus()
}

function TokenAsked({ api }: { readonly api: Api }) {
  const [text, set] = useState('')
  return (
    <form
      class="card token"
      onSubmit={(event) => {
        event.preventDefault()
        if (text.trim() !== '') api.setToken(text.trim())
      }}
    >
      <h1>A token is needed</h1>
      <p>{`The door says: ${api.wanted}.`}</p>
      <label>
        Token
        <input
          type="password"
          autocomplete="off"
          value={text}
          onInput={({ currentTarget }) => set(currentTarget.value)}
        />
      </label>
      <p class="hint">
        <code>fr token --key-file FILE</code> prints it. It is kept in this tab until you close it.
      </p>
      <button type="submit">Let me in</button>
    </form>
  )
}
