// The real server over a small model, for tests with real clients. The environment says where
// things are: HEARTH_BIN, HEARTH_MODELS, HEARTH_SDK (tests/CMakeLists.txt).
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(resolve(process.env.HEARTH_SDK, "package.json"));
export const sdk = (name) => require(name);

const ready_wait_ms = 60_000;

export class Server {
  static async start(model, flags = [], environment = {}) {
    const server = new Server();
    server.home = mkdtempSync(join(tmpdir(), "hearth-sdk-"));
    await server.run(model, flags, environment);
    return server;
  }

  // Again in the same home: what was stored is still there.
  async run(model, flags = [], environment = {}) {
    this.log = "";
    this.child = spawn(
      join(process.env.HEARTH_BIN, "hearth"),
      ["serve", "--model", join(process.env.HEARTH_MODELS, model), "--port", "0",
        // One thread: a second one on a busy machine waits at every barrier.
        ...(flags.includes("--threads") ? [] : ["--threads", "1"]), ...flags],
      { env: { ...process.env, HEARTH_HOME: this.home, ...environment },
        stdio: ["ignore", "pipe", "pipe"] });
    this.child.stderr.on("data", (data) => { this.log = (this.log + data).slice(-1_000_000); });
    this.ended = new Promise((resolve) => this.child.on("exit", (code, signal) => resolve(code ?? signal)));
    const lines = createInterface({ input: this.child.stdout });
    const first = new Promise((resolve) => lines.once("line", resolve));
    const late = new Promise((resolve) => setTimeout(resolve, ready_wait_ms, "late").unref());
    const line = await Promise.race([first, this.ended, late]);
    if (typeof line !== "string" || !line.startsWith("ready ")) {
      throw new Error(`the server did not start: ${line}\n${this.log}`);
    }
    this.url = line.slice("ready ".length);
  }

  async stop(signal = "SIGTERM") {
    this.child.kill(signal);
    const code = await this.ended;
    return code;
  }

  async close() {
    await this.stop();
    rmSync(this.home, { recursive: true, force: true });
  }

  async post(path, body, headers = {}) {
    return fetch(this.url + path, { method: "POST", body: JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers } });
  }

  async metric(name) {
    const text = await (await fetch(this.url + "/metrics")).text();
    const line = text.split("\n").find((each) => each.startsWith(name + " "));
    return line === undefined ? undefined : Number(line.slice(name.length + 1));
  }
}
