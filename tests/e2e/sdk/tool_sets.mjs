// Generated tools, as unlike one another as real ones: a seed gives the same set on every machine.

// Mulberry32: small, good enough, the same everywhere.
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const words = ["path", "query", "limit", "city", "units", "größe", "line_start", "recursive", "owner", "tags",
  "file-name", "when", "retries", "body", "mode", "matrix"];
const texts = ["a", "metric units", "größe", "with \"quotes\"", "back\\slash", "{braces}", "日本語", "x\ny", "</tool>"];
const patterns = ["^[a-z]{1,8}$", "^[A-Z][a-z]+(-[0-9]{2})?$", "^\\d{4}-\\d{2}$", "^(alpha|beta|gamma)$"];
const formats = ["date", "time", "date-time", "uuid", "ipv4", "email"];

export class ToolSets {
  constructor(seed) { this.next = random(seed); }
  below(count) { return Math.floor(this.next() * count); }
  pick(list) { return list[this.below(list.length)]; }
  chance(share) { return this.next() < share; }

  // Lengths are bounded: random weights have no reason of their own to end a text.
  text() {
    const kind = this.below(5);
    if (kind === 0) return { type: "string", enum: [...new Set([this.pick(texts), this.pick(texts), this.pick(texts)])] };
    if (kind === 1) return { type: "string", pattern: this.pick(patterns), maxLength: 40 };
    if (kind === 2) return { type: "string", format: this.pick(formats), maxLength: 60 };
    if (kind === 3) return { const: this.pick(texts) };
    const lowest = this.below(4);
    return { type: "string", minLength: lowest, maxLength: lowest + this.below(30) };
  }

  number() {
    const lowest = this.below(200) - 100;
    const type = this.chance(0.6) ? "integer" : "number";
    if (this.chance(0.2)) return { type, exclusiveMinimum: lowest, exclusiveMaximum: lowest + 2 + this.below(500) };
    return { type, minimum: lowest, maximum: lowest + this.below(1000) };
  }

  value(depth) {
    const kind = this.below(depth > 0 ? 9 : 6);
    if (kind < 2) return this.text();
    if (kind < 4) return this.number();
    if (kind === 4) return { type: "boolean" };
    if (kind === 5) return this.chance(0.5) ? { type: "null" } : { enum: [1, "two", null, true, 3.5] };
    if (kind === 6) return { type: "array", items: this.value(depth - 1), minItems: this.below(2), maxItems: 1 + this.below(4) };
    if (kind === 7) return { anyOf: [this.value(depth - 1), { type: "object", properties: { nested: this.value(0) },
      required: ["nested"], additionalProperties: false }] };
    return this.object(depth - 1);
  }

  object(depth) {
    const properties = {};
    for (let i = this.below(5); i >= 0; --i) properties[this.pick(words)] = this.value(depth);
    const required = Object.keys(properties).filter(() => this.chance(0.6));
    const out = { type: "object", properties };
    if (required.length > 0) out.required = required;
    if (this.chance(0.7)) out.additionalProperties = false;
    if (this.chance(0.3)) for (const each of Object.values(properties)) each.description = "What it is: " + this.pick(texts);
    return out;
  }

  schema() {
    const out = this.object(2);
    if (this.chance(0.25)) {
      out.$defs = { Shared: this.object(1) };
      out.properties.shared = { $ref: "#/$defs/Shared" };
      if (this.chance(0.5)) out.required = [...(out.required ?? []), "shared"];
    }
    return out;
  }

  set() {
    const out = [];
    for (let i = this.below(6); i >= 0; --i) {
      out.push({ name: `${this.pick(["get", "set", "find"])}_${i}`, description: "Does it, " + this.pick(texts), schema: this.schema() });
    }
    return out;
  }
}
