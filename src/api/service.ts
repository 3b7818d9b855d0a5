/** Notifications for the service manager that started the command. */
export { notifyService } from '../agent/service-manager.js'
