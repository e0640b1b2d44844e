/** @file Opens the server's port, at both addresses of `localhost` where the machine has two. */

import { lookup } from "node:dns/promises";
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { FastifyInstance } from "fastify";

/**
 * Listens until the server closes. Fastify by itself opens a second HTTP server for `localhost`, whose connections the
 * first one does not know; here those of the second address are given to the same server.
 * @param port 0 takes a free one
 * @throws what the system says of the first address
 */
export async function listen(fastify: FastifyInstance, host: string, port: number): Promise<void> {
  const [first = host, ...others] = host === "localhost" ? await addressesOf(host) : [];
  await fastify.listen({ host: first, port, listenTextResolver: () => "listening" });
  const { server } = fastify;
  for (const other of others) {
    const forwarding = createServer({ allowHalfOpen: true, noDelay: true }, (socket: Socket) => server.emit("connection", socket));
    server.once("close", () => forwarding.close());
    await new Promise((resolve) => {
      // A machine without IPv6 may still name ::1 as an address of localhost.
      forwarding.once("error", resolve).listen((server.address() as AddressInfo).port, other, () => resolve(undefined));
    });
  }
}

const addressesOf = async (name: string): Promise<string[]> =>
  (await lookup(name, { all: true, verbatim: false })).map(({ address }) => address);
