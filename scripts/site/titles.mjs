/**
 * For TypeDoc, which hands over its application: pages are called as their first heading says, and
 * stand in an order for readers.
 */

/** What comes first; the rest follows in the order of its titles. */
const first = ['quick-start', 'concepts', 'commands', 'operating', 'security', 'library']

export function load(app) {
  app.converter.on('resolveBegin', ({ project }) => {
    for (const page of project.documents ?? []) {
      const text = page.content.map((part) => part.text).join('')
      const title = /^# (.*)$/m.exec(text)?.[1]
      const at = first.indexOf(page.name.toLowerCase())
      page.rank = at < 0 ? first.length : at
      if (title !== undefined) page.name = title.replaceAll('`', '')
    }
    const inOrder = (a, b) => a.rank - b.rank || a.name.localeCompare(b.name)
    project.documents?.sort(inOrder)
    // Pages before the library, whose modules are called as they are imported.
    const pages = project.documents ?? []
    const modules = project.children ?? []
    for (const module of modules)
      module.name = module.name.endsWith('doors') ? 'fastreplica/http' : 'fastreplica'
    project.childrenIncludingDocuments = [...pages, ...modules]
  })
}
