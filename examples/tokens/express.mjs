// An Express handler that gives each signed-in visitor a token:
//     app.get("/chat-token", chatToken(readFileSync("/etc/chat-secret", "utf8").trim()));

import jwt from "jsonwebtoken";

export const chatToken = (secret) => (request, response) => {
  const user = request.session?.user;
  if (!user) return response.status(401).json({});
  const rooms = user.staff ? { "*": ["join", "history", "send", "moderate"] } : undefined;
  const claims = { name: user.name, ...(rooms && { rooms }) };
  const token = jwt.sign(claims, secret, { subject: String(user.id), expiresIn: "10m" });
  return response.json({ token });
};
