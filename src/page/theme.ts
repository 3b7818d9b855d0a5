/** Light or dark: as the system says, until somebody here says otherwise. */
import { useEffect, useState } from 'preact/hooks'
import { Store } from './store.js'

export type Theme = 'light' | 'dark'

const key = 'fr-theme'
const system = matchMedia('(prefers-color-scheme: dark)')
const store = new Store()
/**
 * As the last event has said. `matches` is not read again: in Chromium a change that was seen so
 * before its event is told of by none.
 */
let isSystemDark = system.matches
let chosen = localStorage.getItem(key)

export function themeNow(): Theme {
  if (chosen === 'light' || chosen === 'dark') return chosen
  return isSystemDark ? 'dark' : 'light'
}

export function applyTheme(): void {
  document.documentElement.dataset['theme'] = themeNow()
}

export function switchTheme(): void {
  chosen = themeNow() === 'dark' ? 'light' : 'dark'
  localStorage.setItem(key, chosen)
  applyTheme()
  store.changed()
}

// Not of what is shown: between one view and the next nobody would hear it.
system.addEventListener('change', ({ matches }) => {
  isSystemDark = matches
  applyTheme()
  store.changed()
})

export function useTheme(): Theme {
  const [theme, set] = useState(themeNow())
  useEffect(() => {
    const changed = (): void => set(themeNow())
    // It may have changed since it was read.
    changed()
    return store.subscribe(changed)
  }, [])
  return theme
}
