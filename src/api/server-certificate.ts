/** Certificates of servers that are no nodes: HTTP doors. */
export { ServerCertificate } from '../net/server-certificate.js'
