"""From certified games to one number per network and image: what decides each row, and its
figure's table. Functions of arrays alone: no settings, no data, no players. A file per claim or
two."""
