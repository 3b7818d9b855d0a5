/**
 * For TypeDoc, which hands over its application: pages are called as their first heading says, and
 * stand in an order for readers.
 */

/** What comes first; the rest follows in the order of its titles. */
const first = ['Quick start', 'Concepts', 'FAQ', 'Commands', 'Operating', 'Security in use']

export function load(app) {
  app.converter.on('resolveBegin', ({ project }) => {
    const pages = project.documents ?? []
    for (const page of pages) {
      const text = page.content.map((part) => part.text).join('')
      const title = /^# (.*)$/m.exec(text)?.[1]
      if (title !== undefined) page.name = title.replaceAll('`', '')
    }
    const rank = ({ name }) => (first.includes(name) ? first.indexOf(name) : first.length)
    pages.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name))
    // Pages before the library, whose modules are called as they are imported.
    const modules = project.children ?? []
    for (const module of modules)
      module.name = module.name.endsWith('doors') ? 'fastreplica/http' : 'fastreplica'
    project.childrenIncludingDocuments = [...pages, ...modules]
  })
}
