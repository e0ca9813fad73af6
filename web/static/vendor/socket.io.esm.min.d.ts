// Types of socket.io.esm.min.js for `tsc --checkJs`, taken from the package.
export { io, connect, Manager, Socket, protocol } from "socket.io-client";
export type { ManagerOptions, SocketOptions } from "socket.io-client";
export { io as default } from "socket.io-client";
