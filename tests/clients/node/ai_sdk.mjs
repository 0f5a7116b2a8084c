// The AI SDK, whichever of its providers is used.
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { DEGREES, WEATHER, check, getWeather, liked, run } from "./cells.mjs";

const SHORT = { maxOutputTokens: 64, maxRetries: 0, temperature: 0 };
const Person = z.object({ name: z.string().max(12), age: z.number().int().min(0).max(120) });
const get_weather = tool({
  description: "Get the current weather in a city",
  inputSchema: z.object({ city: z.string().max(12) }),
  execute: async (input) => getWeather(input),
});

// `real` and `scripted` are one provider's model at either server; `more` are cells of its own.
export async function runWith(real, scripted, more = {}) {
  const user = (content) => ({ role: "user", content });

  async function chat() {
    const messages = [user("Hello")];
    const first = await generateText({ model: real, system: "Be brief.", messages, ...SHORT });
    messages.push(...first.response.messages, user("Who are you?"));
    check((await generateText({ model: real, messages, ...SHORT })).text, "no text");
  }

  async function stream() {
    let failure;
    const onError = ({ error }) => (failure = error);
    const opened = streamText({ model: real, prompt: "Hello", onError, ...SHORT });
    let text = "";
    for await (const piece of opened.textStream) text += piece;
    if (failure) throw failure;
    check(text, "no text");
  }

  async function tools() {
    const options = { tools: { get_weather }, stopWhen: stepCountIs(3), prompt: WEATHER, maxRetries: 0 };
    const whole = await generateText({ model: scripted, ...options });
    check(whole.text.includes(DEGREES), whole.text);
    let failure;
    const onError = ({ error }) => (failure = error);
    const text = await streamText({ model: scripted, onError, ...options }).text;
    if (failure) throw failure;
    check(text.includes(DEGREES), text);
  }

  async function forced() {
    const options = { tools: { get_weather }, toolChoice: "required", prompt: WEATHER };
    const answer = await generateText({ model: real, ...options, ...SHORT });
    check(answer.toolCalls[0].toolName === "get_weather", answer.toolCalls);
  }

  async function structured() {
    const answer = await generateObject({ model: real, schema: Person, prompt: "Ann is 31 years old.", ...SHORT });
    Person.parse(answer.object);
  }

  async function good() {
    const messages = [user("Hello")];
    const first = await generateText({ model: real, messages, ...SHORT });
    messages.push(...first.response.messages, user("/good"));
    liked((await generateText({ model: real, messages, ...SHORT })).text);
  }

  await run({ chat, stream, tools, forced, structured, ...more, good });
}
