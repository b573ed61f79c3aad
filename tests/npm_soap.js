// A client of another house: npm's `soap`. Takes the calls to make as JSON on its input, prints what came of them.
const soap = require("soap");

const read = async () => {
  const pieces = [];
  for await (const piece of process.stdin) pieces.push(piece);
  return JSON.parse(Buffer.concat(pieces).toString());
};

const attempt = async (client, operation, given) => {
  try {
    const [result] = await client[`${operation}Async`](given);
    return { result };
  } catch (error) {
    const fault = error.root && error.root.Envelope.Body.Fault;
    return fault ? { fault } : { error: String(error) };
  }
};

const main = async () => {
  const { wsdl, token, calls, soap12, inEnvelope } = await read();
  const authorization = { Authorization: `Bearer ${token}` };
  const client = await soap.createClientAsync(wsdl, { wsdl_headers: authorization, forceSoap12Headers: soap12 });
  if (inEnvelope) client.addSoapHeader({ Caller: { Token: token } }, "", "c", "urn:lgsp:soap");
  else client.setSecurity(new soap.BearerSecurity(token));
  const answers = [];
  for (const [operation, given] of calls) answers.push(await attempt(client, operation, given));
  console.log(JSON.stringify({ operations: Object.keys(client.describe()), answers }));
};

main();
