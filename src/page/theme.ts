/** Light or dark: as the system says, until somebody here says otherwise. */
import { useEffect, useState } from 'preact/hooks'
import { Store } from './store.js'

export type Theme = 'light' | 'dark'

const key = 'fr-theme'
const system = matchMedia('(prefers-color-scheme: dark)')
const store = new Store()
let chosen = localStorage.getItem(key)

export function themeNow(): Theme {
  if (chosen === 'light' || chosen === 'dark') return chosen
  return system.matches ? 'dark' : 'light'
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

export function useTheme(): Theme {
  const [theme, set] = useState(themeNow())
  useEffect(() => {
    const changed = (): void => {
      applyTheme()
      set(themeNow())
    }
    const stop = store.subscribe(changed)
    system.addEventListener('change', changed)
    return () => {
      stop()
      system.removeEventListener('change', changed)
    }
  }, [])
  return theme
}
